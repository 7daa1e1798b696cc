//! The texts of the demo.

use crate::work::TaskType;

/// Names and addresses. The first person owns the organization.
pub(super) const PEOPLE: [(&str, &str); 5] = [
    ("Ada Lovelace", "ada@example.com"),
    ("Grace Hopper", "grace@example.com"),
    ("Katherine Johnson", "katherine@example.com"),
    ("Alan Turing", "alan@example.com"),
    ("Barbara Liskov", "barbara@example.com"),
];

/// A project, and the things that its tasks are about.
pub(super) struct Theme {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// The number of its tasks in the ordinary demo.
    pub(super) tasks: u32,
    pub(super) things: [&'static str; 15],
    pub(super) labels: [(&'static str, &'static str); 4],
}

pub(super) const THEMES: [Theme; 3] = [
    Theme {
        key: "WEB",
        name: "Website",
        description: "The public site: what visitors read, and how they sign up.",
        tasks: 150,
        things: [
            "the landing page",
            "the price table",
            "the sign-up form",
            "the search field",
            "the main menu",
            "the footer",
            "the blog",
            "the cookie notice",
            "the contact form",
            "the customer stories",
            "the documentation pages",
            "the language switch",
            "the newsletter form",
            "the press page",
            "the page for a missing page",
        ],
        labels: [("design", "#db2777"), ("content", "#d97706"), ("frontend", "#2563eb"), ("seo", "#16a34a")],
    },
    Theme {
        key: "APP",
        name: "Mobile app",
        description: "The app for phones and tablets.",
        tasks: 140,
        things: [
            "the login screen",
            "push notifications",
            "the task list",
            "the board",
            "offline mode",
            "the camera upload",
            "the settings screen",
            "the calendar view",
            "the dark theme",
            "the share sheet",
            "the widget",
            "the onboarding tour",
            "the comment editor",
            "swipe gestures",
            "the profile screen",
        ],
        labels: [("android", "#16a34a"), ("ios", "#64748b"), ("crash", "#dc2626"), ("design", "#db2777")],
    },
    Theme {
        key: "OPS",
        name: "Platform",
        description: "Servers, backups, deployments, and everything that has to run at night.",
        tasks: 110,
        things: [
            "the nightly backup",
            "the build pipeline",
            "the staging servers",
            "the certificates",
            "the log storage",
            "the alert rules",
            "the database upgrade",
            "the load balancer",
            "the job queue",
            "the mail relay",
            "the status page",
            "the access rules",
            "the disk space report",
            "the restore drill",
            "the image registry",
        ],
        labels: [
            ("security", "#dc2626"),
            ("reliability", "#7c3aed"),
            ("cost", "#d97706"),
            ("chore", "#64748b"),
        ],
    },
];

/// What is done with a thing.
pub(super) const VERBS: [(TaskType, &str); 12] = [
    (TaskType::Task, "Review {}"),
    (TaskType::Bug, "Fix slow response of {}"),
    (TaskType::Task, "Write tests for {}"),
    (TaskType::Story, "Let people with a screen reader use {}"),
    (TaskType::Task, "Document {}"),
    (TaskType::Bug, "Fix wrong dates in {}"),
    (TaskType::Story, "Plan the next version of {}"),
    (TaskType::Task, "Clean up {}"),
    (TaskType::Task, "Measure how {} is used"),
    (TaskType::Bug, "Find out why {} fails on Mondays"),
    (TaskType::Story, "Translate {}"),
    (TaskType::Task, "Simplify {}"),
];

/// The places of further tasks, after each thing was done once.
pub(super) const PLACES: [&str; 20] = [
    "on tablets",
    "on old phones",
    "on slow lines",
    "in Spanish",
    "in Japanese",
    "in Arabic, from right to left",
    "in the dark theme",
    "in large print",
    "at the end of a month",
    "on leap days",
    "behind a proxy",
    "in the free plan",
    "in the team plan",
    "in the trial",
    "after an upgrade",
    "before the release",
    "for new accounts",
    "for guests",
    "without a network",
    "with many rows",
];

/// The customers of such further tasks.
pub(super) const CUSTOMERS: [&str; 24] = [
    "Aldgate Mills",
    "Brightwater",
    "Calder & Sons",
    "Dovecote Press",
    "Elmfield",
    "Fennimore",
    "Greyfriars",
    "Hollin Bakery",
    "Inkwell",
    "Juniper Rail",
    "Kestrel Air",
    "Larkspur",
    "Marlowe Books",
    "Northgate Bank",
    "Orchard Row",
    "Pemberton",
    "Quarry Lane",
    "Rosewood",
    "Saltmarsh",
    "Thistledown",
    "Underhill",
    "Viola Cycles",
    "Westbourne",
    "Yarrow Clinic",
];

pub(super) const DESCRIPTIONS: [&str; 8] = [
    "Two customers asked for this in the same week. Start with the smallest thing that helps them.",
    "Steps:\n1. Look at what we have.\n2. Agree on what is enough.\n3. Do it, with tests.\n4. Tell support.",
    "It worked until the last release. The logs of that day are in the shared folder.",
    "We said that we would do this after the move. The move is done.",
    "Please keep the old behaviour behind a switch for two weeks.",
    "Nothing here is urgent, but everybody trips over it once.",
    "See the notes of the planning meeting. The numbers are from last month.",
    "The sketch has three variants; the second was liked best.",
];

pub(super) const COMMENTS: [&str; 14] = [
    "I had a first look. It is less than I thought.",
    "This is ready for a review.",
    "Can we split this? The second half needs a decision.",
    "Done on staging, please try it.",
    "I could reproduce it with a slow connection.",
    "The cause was a time zone. It is always a time zone.",
    "Looks good to me.",
    "One question in the review, otherwise fine.",
    "Waiting for an answer from the vendor.",
    "I have moved this to next week, the release comes first.",
    "The tests are green now.",
    "Support says that nobody has complained since.",
    "Let us talk about this on Thursday.",
    "I wrote down what I found in the description.",
];
