//! The bounds of the product over HTTP.

use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use workscribe_core::WorkScribe;
use workscribe_core::limits::{Limit, Unit};

use crate::reply::Reply;
use crate::tags::Tags;

/// What a limit counts.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// Things.
    Items,
    /// Bytes.
    Bytes,
    /// Characters (Unicode scalar values).
    Characters,
    /// Objects and arrays within each other.
    Levels,
    /// Requests.
    Requests,
    /// Mails.
    Mails,
    /// Messages of webhooks.
    Messages,
    /// Hundredths of something else.
    Percent,
    /// Seconds.
    Seconds,
}

impl From<Unit> for LimitUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Items => Self::Items,
            Unit::Bytes => Self::Bytes,
            Unit::Characters => Self::Characters,
            Unit::Levels => Self::Levels,
            Unit::Requests => Self::Requests,
            Unit::Mails => Self::Mails,
            Unit::Messages => Self::Messages,
            Unit::Percent => Self::Percent,
            Unit::Seconds => Self::Seconds,
        }
    }
}

/// A bound of what there may be, or of how often.
#[derive(Object, Serialize)]
pub struct LimitInfo {
    /// Its name, which stands as `limit_name` in the parameters of a problem, and of a rate as `policy` there and in the `RateLimit`
    /// headers.
    pub limit_name: String,
    /// What it is on this server.
    pub limit: i64,
    /// What it counts.
    pub unit: LimitUnit,
    /// Of a rate, within how many seconds; null of what is no rate.
    pub per_seconds: Option<i64>,
    /// The code that answers who would pass it; null where nobody is refused.
    pub code: Option<String>,
    /// What it says to people.
    pub detail: String,
}

/// The bounds of what there may be, and of how often.
#[derive(Object, Serialize)]
pub struct LimitList {
    /// All of them.
    pub limits: Vec<LimitInfo>,
}

/// The limits, for anyone: they tell nothing of a tenant.
pub struct LimitsApi {
    app: WorkScribe,
}

impl LimitsApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Health")]
impl LimitsApi {
    /// List the limits
    ///
    /// How much of each thing there may be on this server, how large requests and answers may be, and how often they may come. Rates
    /// that this server does not hold anybody to are left out.
    #[oai(path = "/limits", method = "get", operation_id = "listLimits")]
    async fn list(&self) -> Reply<LimitList> {
        let limits = &self.app.settings().limits;
        let info = |limit: &Limit| LimitInfo {
            limit_name: limit.name().to_owned(),
            limit: limits.of(*limit).into(),
            unit: limit.unit().into(),
            per_seconds: limit.per().map(|per| i64::try_from(per.as_secs()).unwrap_or(i64::MAX)),
            code: Some(limit.code()).filter(|code| !code.is_empty()).map(str::to_owned),
            detail: limits.sentence(*limit),
        };
        let held = Limit::ALL.iter().filter(|limit| !limits.is_lifted(**limit));
        Reply::new(LimitList { limits: held.map(info).collect() })
    }
}
