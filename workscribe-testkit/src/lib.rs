//! workscribe-testkit
