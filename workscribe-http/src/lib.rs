//! workscribe-http
