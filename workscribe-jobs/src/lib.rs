//! workscribe-jobs
