//! workscribe
