//! In-process implementations of the ports, enough for a single server without other services.

mod jwt;
mod limiter;
mod password;
mod wakeup;

pub use jwt::{JwtIssuer, KeyError, SigningKey, VerifyingKey};
pub use limiter::{LocalRateLimiter, Unlimited, gcra};
pub use password::BcryptHasher;
pub use wakeup::LocalWakeup;
