//! Exports and imports organizations: `export`, `import` and `demo`.

use std::collections::BTreeMap;
use std::io::{BufReader, IsTerminal as _, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use workscribe_core::ports::Secret;
use workscribe_core::transfer::{
    Bundle, DemoOptions, Export, Foreign, Ids, ImportOptions, Imported, Progress, Report, Settings, github,
    jira,
};
use workscribe_core::{Error, WorkScribe};

use crate::AnyError;
use crate::progress::Shown;

/// The arguments of `workscribe import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; - for standard input.
    file: PathBuf,
    /// The kind of the file.
    #[arg(long, value_enum, default_value_t = Source::Workscribe)]
    from: Source,
    /// Keep the ids of an export, or make new ones [default: keep].
    #[arg(long, value_enum)]
    ids: Option<IdsArg>,
    /// The organization's slug [default: that of the export].
    #[arg(long, required_if_eq_any([("from", "jira"), ("from", "github")]))]
    slug: Option<String>,
    /// The organization's name [default: that of the export, or the slug].
    #[arg(long)]
    name: Option<String>,
    /// For Jira and GitHub: the e-mail address of the organization's owner.
    #[arg(long, value_name = "EMAIL", required_if_eq_any([("from", "jira"), ("from", "github")]))]
    owner: Option<String>,
    /// For Jira and GitHub: the e-mail address of the person whom the file calls NAME. May be given several times.
    #[arg(long = "person", value_name = "NAME=EMAIL")]
    people: Vec<String>,
    /// For GitHub: the key of the project [default: made from the repository's name].
    #[arg(long, value_name = "KEY")]
    project_key: Option<String>,
    /// Let people in the file use existing accounts whose addresses were never verified. Anybody can register with the address of
    /// another person, and would get access.
    #[arg(long)]
    trust_unverified: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// An export of WorkScribe.
    Workscribe,
    /// Jira's CSV export with all fields.
    Jira,
    /// GitHub's issues as its REST API returns them.
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IdsArg {
    Keep,
    Remap,
}

/// Imports an organization.
pub(crate) async fn import(app: &WorkScribe, args: &ImportArgs) -> Result<(), AnyError> {
    let (bundle, ids, report) = match args.from {
        Source::Workscribe => {
            let bundle = Bundle::read(BufReader::new(open(&args.file)?)).map_err(explain)?;
            let ids = if args.ids == Some(IdsArg::Remap) { Ids::Remap } else { Ids::Keep };
            (bundle, ids, Report::default())
        }
        source => {
            let Foreign { bundle, report } = foreign(app, args, source)?;
            (bundle, Ids::Remap, report)
        }
    };
    let options = ImportOptions {
        ids,
        slug: args.slug.clone(),
        name: args.name.clone(),
        trust_unverified: args.trust_unverified,
    };
    let mut uow = app.begin().await?;
    let mut shown = Shown::new("Importing");
    let mut progress = |so_far: Progress| shown.at(so_far.done, Some(so_far.all));
    let transfer = app.transfer();
    let import = transfer.import_with(&mut *uow, &bundle, &options, &mut progress);
    let imported = import.await.map_err(explain)?;
    app.commit(uow).await?;
    tell(&imported, &report);
    Ok(())
}

fn foreign(app: &WorkScribe, args: &ImportArgs, source: Source) -> Result<Foreign, AnyError> {
    let slug = args.slug.clone().unwrap_or_default();
    let mut people = BTreeMap::new();
    for person in &args.people {
        let (name, email) = person.split_once('=').ok_or("--person must be NAME=EMAIL")?;
        people.insert(name.to_owned(), email.to_owned());
    }
    let settings = Settings {
        name: args.name.clone().unwrap_or_else(|| slug.clone()),
        slug,
        owner: args.owner.clone().unwrap_or_default(),
        owner_name: None,
        people,
        project_key: args.project_key.clone(),
        now: app.now(),
    };
    let mut file = open(&args.file)?;
    if source == Source::Jira {
        return jira(file, &settings).map_err(explain);
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    github(&text, &settings).map_err(explain)
}

fn open(file: &Path) -> Result<Box<dyn std::io::Read>, AnyError> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let opened = std::fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Box::new(opened))
}

/// Every fault of a file, one per line.
fn explain(error: Error) -> AnyError {
    if error.fields().is_empty() {
        return error.into();
    }
    let faults: Vec<&str> = error.fields().iter().map(|fault| fault.message.as_str()).collect();
    format!("nothing was imported:\n  {}", faults.join("\n  ")).into()
}

#[expect(clippy::print_stdout, reason = "what the command did")]
fn tell(imported: &Imported, report: &Report) {
    let counts: Vec<String> = imported.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let organization = &imported.organization;
    println!("“{}” ({}) is stored: {}.", organization.name, organization.slug, counts.join(", "));
    for (what, addresses) in [
        ("New accounts without a password (their owners must request one)", &imported.made),
        ("Existing accounts that are now members", &imported.known),
    ] {
        if !addresses.is_empty() {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            println!("{what}: {}.", addresses.join(", "));
        }
    }
    for (what, count) in &report.0 {
        println!("{count} × {what}");
    }
}

/// Exports an organization to a file or to standard output.
pub(crate) async fn export(app: &WorkScribe, slug: &str, file: Option<&Path>) -> Result<(), AnyError> {
    let export = app.transfer().export_as_operator(slug).await?;
    let Some(file) = file.filter(|file| *file != Path::new("-")) else {
        // A progress bar between the lines would make both unreadable.
        let shown = (!std::io::stdout().is_terminal()).then(|| Shown::new("Exporting"));
        return write(export, &mut std::io::stdout(), shown).await;
    };
    // The file gets its name when the export is complete. Only its owner may read it.
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let fault = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut out = options.open(&part).map_err(fault)?;
    write(export, &mut out, Some(Shown::new("Exporting"))).await?;
    out.sync_all()?;
    Ok(std::fs::rename(&part, file).map_err(fault)?)
}

async fn write(
    mut export: Export,
    out: &mut impl std::io::Write,
    mut shown: Option<Shown>,
) -> Result<(), AnyError> {
    while let Some(lines) = export.next().await? {
        out.write_all(lines.as_bytes())?;
        if let Some(shown) = &mut shown {
            shown.at(export.records(), None);
        }
    }
    Ok(out.flush()?)
}

/// Creates the organization of the demo.
#[expect(clippy::print_stdout, reason = "how to log in is what the command is for")]
pub(crate) async fn demo(
    app: &WorkScribe,
    tasks: u32,
    slug: String,
    password: Option<String>,
) -> Result<(), AnyError> {
    let password = password.unwrap_or_else(|| {
        let mut random = [0; 12];
        app.entropy().fill(&mut random);
        random.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    });
    let options = DemoOptions { slug, tasks, password: Secret::new(password.clone()), seed: 1 };
    let mut shown = Shown::new("Making the demo");
    let mut progress = |so_far: Progress| shown.at(so_far.done, Some(so_far.all));
    let demo = app.transfer().demo_with(&options, &mut progress).await.map_err(explain)?;
    drop(shown);
    tell(&demo.imported, &Report::default());
    let owner = &demo.imported.owner.email;
    if demo.has_password {
        println!("\nLog in as {owner} with the password {password}");
    } else {
        println!("\nLog in as {owner} with the password that this account had before");
    }
    Ok(())
}
