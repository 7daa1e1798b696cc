//! In-process forms of the ports: what a single server needs, with nothing to install.

mod jwt;
mod limiter;
mod password;
mod wakeup;

pub use jwt::{JwtIssuer, KeyError, SigningKey, VerifyingKey};
pub use limiter::{LocalRateLimiter, Unlimited, gcra};
pub use password::BcryptHasher;
pub use wakeup::LocalWakeup;
