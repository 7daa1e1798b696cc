//! The bounds of the product over HTTP.

use workscribe_core::limits::{self, Limit, Limits};

use crate::prelude::*;

api! {
    /// The limits, for anyone: they tell nothing of a tenant.
    LimitsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Health")]
impl LimitsApi {
    /// List the limits
    ///
    /// How much of each thing there may be on this server, how large requests and answers may be, and how often they may come. Rates
    /// that this server does not hold anybody to are left out.
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
    /// A bound of what there may be, or of how often.
    LimitInfo of (limits, limit): (&Limits, Limit) {
        /// Its name, which stands as `limit_name` in the parameters of a problem, and of a rate as `policy` there and in the `RateLimit`
        /// headers.
        limit_name: String = limit.name(),
        /// What it is on this server.
        limit: i64 = limits.of(limit),
        /// What it counts.
        unit: LimitUnit = limit.unit(),
        /// Of a rate, within how many seconds; null of what is no rate.
        per_seconds: Nullable<i64> =
            limit.per().map(|per| i64::try_from(per.as_secs()).unwrap_or(i64::MAX)),
        /// The code that answers who would pass it; null where nobody is refused.
        code: Nullable<String> = Some(limit.code()).filter(|code| !code.is_empty()),
        /// What it says to people.
        detail: String = limits.sentence(limit),
    }

    /// The bounds of what there may be, and of how often.
    LimitList of limits: &Limits {
        /// All of them.
        limits: Vec<LimitInfo> = {
            let held = Limit::ALL.iter().filter(|limit| !limits.is_lifted(**limit));
            held.map(|limit| LimitInfo::from((limits, *limit))).collect::<Vec<_>>()
        },
    }
}
