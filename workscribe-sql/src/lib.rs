//! workscribe-sql
