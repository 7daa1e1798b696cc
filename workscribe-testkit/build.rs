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
    let (mut text, mut listed) = (String::new(), String::new());
    for (name, folder) in
        [("__limiter_cases", "limiter"), ("__token_cases", "tokens"), ("__storage_cases", "")]
    {
        let (own, others) = files.into_iter().partition(|file: &PathBuf| {
            file.starts_with(root.join(folder)) || file == &root.join(folder).with_extension("rs")
        });
        files = others;
        write_macro(&mut text, name, root, &own)?;
        if name != "__limiter_cases" {
            list_cases(&mut listed, root, &own)?;
        }
    }
    writeln!(text, "fn every_case() -> Vec<Case> {{\nvec![{listed}]\n}}")?;
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
        let (path, cases) = cases_of(file, root)?;
        let Some(module) = path.rsplit("::").next().filter(|_| !cases.is_empty()) else { continue };
        writeln!(text, "$crate::__cases! {{ $factory; {module}, {path}: {} }}", cases.join(" "))?;
    }
    writeln!(text, "}};\n}}")?;
    Ok(())
}

/// The cases of storages, each as a `Case`.
fn list_cases(text: &mut String, root: &Path, files: &[PathBuf]) -> Result<(), Box<dyn error::Error>> {
    for file in files {
        let (path, cases) = cases_of(file, root)?;
        for case in cases {
            let name = format!("{path}::{case}");
            writeln!(text, "Case {{ name: \"{name}\", run: |storage| Box::pin({name}(storage)) }},")?;
        }
    }
    Ok(())
}

/// The path of a file's module, and the names of its cases.
fn cases_of(file: &Path, root: &Path) -> Result<(String, Vec<String>), Box<dyn error::Error>> {
    let source = fs::read_to_string(file)?;
    let cases = source.split("\npub async fn ").skip(1).filter_map(|rest| rest.split('(').next());
    let path = file.strip_prefix(root)?.with_extension("");
    let path: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    Ok((path.join("::"), cases.map(str::to_owned).collect()))
}
