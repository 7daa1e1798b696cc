//! Finds the cases of the conformance suite, every `pub async fn` in the files below `src/conformance`, so that no list of them can
//! miss one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, error, fs};

fn main() -> Result<(), Box<dyn error::Error>> {
    let root = Path::new("src/conformance");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut text = String::new();
    for (name, folder) in
        [("__limiter_cases", "limiter"), ("__token_cases", "tokens"), ("__storage_cases", "")]
    {
        let (own, others) = files.into_iter().partition(|file: &PathBuf| {
            file.starts_with(root.join(folder)) || file == &root.join(folder).with_extension("rs")
        });
        files = others;
        write_macro(&mut text, name, root, &own)?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("cases.rs"), text)?;
    Ok(())
}

/// The files of a folder and of its subfolders.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn error::Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// A macro that makes a module for each file, with a test for each of its cases.
fn write_macro(
    text: &mut String,
    name: &str,
    root: &Path,
    files: &[PathBuf],
) -> Result<(), Box<dyn error::Error>> {
    writeln!(text, "#[doc(hidden)]\n#[macro_export]\nmacro_rules! {name} {{\n($factory:expr) => {{")?;
    for file in files {
        let source = fs::read_to_string(file)?;
        let cases = source.split("\npub async fn ").skip(1).filter_map(|rest| rest.split('(').next());
        let cases: Vec<&str> = cases.collect();
        if cases.is_empty() {
            continue;
        }
        let path = file.strip_prefix(root)?.with_extension("");
        let path: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let module = path.last().ok_or("a file has a name")?;
        writeln!(
            text,
            "$crate::__cases! {{ $factory; {module}, {}: {} }}",
            path.join("::"),
            cases.join(" ")
        )?;
    }
    writeln!(text, "}};\n}}")?;
    Ok(())
}
