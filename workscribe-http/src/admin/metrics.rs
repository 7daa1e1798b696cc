//! The metrics of the queues in the text format of Prometheus (version 0.0.4).

use std::fmt::Write as _;

use workscribe_core::clock::Timestamp;
use workscribe_core::outbox::{Backlog, JobState, KindCounts, QueueState};

/// How many organizations the metrics name: those with the most waiting jobs.
pub(super) const LARGEST: u32 = 10;

/// The numbers of jobs, the queues, and the backlogs of organizations.
pub(super) type Stats = (Vec<KindCounts>, Vec<QueueState>, Vec<Backlog>);

/// The gauges of the queues at a time; `None` when the storage does not answer.
pub(super) fn gauges(stats: Option<Stats>, now: Timestamp) -> String {
    let mut text = String::new();
    head(&mut text, "workscribe_storage_up", "Whether the storage returned the numbers of jobs.");
    line(&mut text, "workscribe_storage_up", &[], if stats.is_some() { 1.0 } else { 0.0 });
    let Some((stats, queues, backlogs)) = stats else { return text };
    head(&mut text, "workscribe_jobs", "Jobs by queue, kind and state.");
    for KindCounts { queue, kind, mut counts, .. } in stats.iter().cloned() {
        for state in JobState::ALL {
            let labels = [("queue", &*queue), ("kind", &*kind), ("state", state.as_str())];
            // Exact up to 2^53; no queue has so many jobs.
            line(&mut text, "workscribe_jobs", &labels, *counts.of(state) as f64);
        }
    }
    let name = "workscribe_jobs_oldest_due_seconds";
    head(&mut text, name, "How long the oldest due job has waited; 0 when no job is due.");
    for KindCounts { queue, kind, oldest_due, .. } in &stats {
        let waited = oldest_due.and_then(|due| (now - due).to_std().ok()).unwrap_or_default();
        line(&mut text, name, &[("queue", queue), ("kind", kind)], waited.as_secs_f64());
    }
    let name = "workscribe_jobs_waiting_of_organization";
    head(&mut text, name, "Waiting jobs of the organizations that have the most.");
    for Backlog { queue, org, waiting, .. } in &backlogs {
        line(&mut text, name, &[("queue", queue), ("org_id", &org.to_string())], *waiting as f64);
    }
    let name = "workscribe_jobs_put_off_of_organization";
    head(&mut text, name, "How many of those jobs were snoozed.");
    for Backlog { queue, org, snoozed, .. } in &backlogs {
        line(&mut text, name, &[("queue", queue), ("org_id", &org.to_string())], *snoozed as f64);
    }
    let name = "workscribe_queue_paused";
    head(&mut text, name, "1 for a queue that is paused, else 0.");
    for QueueState { name: queue, paused_at } in &queues {
        line(&mut text, name, &[("queue", queue)], if paused_at.is_some() { 1.0 } else { 0.0 });
    }
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    // Writing to a string does not fail, here and below.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    text.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{before}{label}=\"{value}\"");
    }
    let end = if labels.is_empty() { "" } else { "}" };
    let _ = writeln!(text, "{end} {value}");
}

#[cfg(test)]
mod tests {
    use workscribe_core::outbox::JobCounts;

    use super::*;

    #[test]
    fn every_state_of_a_kind_is_a_line_and_names_cannot_break_out_of_it() {
        let stats = KindCounts {
            queue: "de\"f\\ault\n".to_owned(),
            kind: "report".to_owned(),
            counts: JobCounts { available: 3, buried: 1, ..JobCounts::default() },
            oldest_due: Timestamp::from_timestamp_millis(10_500),
        };
        let org = "00000000-0000-0000-0000-000000000001".parse().unwrap();
        let backlog = Backlog { queue: "webhooks".to_owned(), org, waiting: 7, snoozed: 2 };
        let paused = QueueState { name: "webhooks".to_owned(), paused_at: Some(Timestamp::UNIX_EPOCH) };
        let text = gauges(
            Some((vec![stats], vec![paused], vec![backlog])),
            Timestamp::from_timestamp(12, 0).unwrap(),
        );
        let queue = r#"queue="de\"f\\ault\n",kind="report""#;
        for line in [
            "workscribe_storage_up 1".to_owned(),
            "# TYPE workscribe_jobs gauge".to_owned(),
            format!("workscribe_jobs{{{queue},state=\"available\"}} 3"),
            format!("workscribe_jobs{{{queue},state=\"running\"}} 0"),
            format!("workscribe_jobs{{{queue},state=\"buried\"}} 1"),
            format!("workscribe_jobs_oldest_due_seconds{{{queue}}} 1.5"),
            format!("workscribe_jobs_waiting_of_organization{{queue=\"webhooks\",org_id=\"{org}\"}} 7"),
            format!("workscribe_jobs_put_off_of_organization{{queue=\"webhooks\",org_id=\"{org}\"}} 2"),
            "workscribe_queue_paused{queue=\"webhooks\"} 1".to_owned(),
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_storage_that_does_not_answer_shows_and_leaves_no_numbers() {
        let text = gauges(None, Timestamp::UNIX_EPOCH);
        assert!(text.ends_with("\nworkscribe_storage_up 0\n"), "{text}");
        assert!(!text.contains("workscribe_jobs"), "{text}");
    }
}
