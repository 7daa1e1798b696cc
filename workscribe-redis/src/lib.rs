//! workscribe-redis
