//! The limits of the product over HTTP.

use workscribe_core::limits::{self, Limit, Limits};

use crate::prelude::*;

api! {
    /// The limits. They need no login, since they reveal nothing about a tenant.
    LimitsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Health")]
impl LimitsApi {
    /// List the limits
    ///
    /// Returns how much of each thing this server allows, how large requests and responses may be, and how many requests it accepts
    /// in a time. The list leaves out rates that this server does not enforce.
    #[oai(path = "/limits", method = "get", operation_id = "listLimits")]
    async fn list(&self) -> Reply<LimitList> {
        Reply::new(&self.app.settings().limits)
    }
}

named! {
    /// What a limit counts.
    LimitUnit = limits::Unit;
}

answers! {
    /// A limit of a count, a size or a rate.
    LimitInfo of (limits, limit): (&Limits, Limit) {
        /// The name of the limit. A problem has it as the parameter `limit_name`; for a rate, `policy` and the `RateLimit` headers
        /// have it too.
        limit_name: String = limit.name(),
        /// The value on this server.
        limit: i64 = limits.of(limit),
        /// The unit of the value.
        unit: LimitUnit = limit.unit(),
        /// The window of a rate, in seconds; null if the limit is not a rate.
        per_seconds: Nullable<i64> =
            limit.per().map(|per| i64::try_from(per.as_secs()).unwrap_or(i64::MAX)),
        /// The code of the refusal above the limit; null if nothing is refused.
        code: Nullable<String> = Some(limit.code()).filter(|code| !code.is_empty()),
        /// A sentence for people.
        detail: String = limits.sentence(limit),
    }

    /// All limits of this server.
    LimitList of limits: &Limits {
        /// The limits.
        limits: Vec<LimitInfo> = {
            let held = Limit::ALL.iter().filter(|limit| !limits.is_lifted(**limit));
            held.map(|limit| LimitInfo::from((limits, *limit))).collect::<Vec<_>>()
        },
    }
}
