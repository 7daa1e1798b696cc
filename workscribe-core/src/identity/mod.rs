//! Users, credentials, sessions and single-use tokens.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | [`User`], [`Session`], [`OneTimeToken`] and the other stored values |
//! | `email.rs`, `password.rs` | the rules for addresses and passwords |
//! | `store.rs` | the store traits |
//! | `secrets.rs` | refresh and mailed tokens: how they are made, derived and hashed |
//! | `seal.rs` | secrets that must be read again in clear |
//! | `service.rs` | accounts: register, profile, password, verification |
//! | `sessions.rs` | login, refresh, logout, and authentication by access token |
//! | `hashing.rs` | the queues for password hashing |
//! | `throttle.rs` | the delay after failed logins |
//! | `mails.rs` | the mail jobs of this area |
//! | `bounces.rs` | addresses that refuse mail |

mod bounces;
mod delay;
mod email;
mod hashing;
mod mails;
mod model;
mod password;
mod person;
mod seal;
pub(crate) mod secrets;
mod service;
mod sessions;
mod store;
mod throttle;

pub use crate::names::display_name;
pub use delay::{LoginDelay, LoginPlace};
pub use email::Email;
pub(crate) use hashing::{Asker, Hashing, HashingShares};
pub use mails::{AccountMail, PreparedAccountMail, SendAccountMail};
pub(crate) use model::avatar_url;
pub use model::{
    Account, Actor, Bounce, Client, Credentials, NewUser, OneTimeToken, ProfileChange, Purpose, Session, User,
};
pub(crate) use password::Normalising;
pub use password::{MAX_PASSWORD_CHARS, PasswordPolicy};
pub use person::Person;
pub use seal::Sealed;
pub use secrets::{SecretKey, SecretRing, TokenHash};
pub use service::{Identity, PreparedUser, Register, RegisterOutcome};
pub use sessions::IssuedTokens;
pub use store::{AttemptStore, BounceStore, Rotated, Rotation, TokenStore, UserStore};
