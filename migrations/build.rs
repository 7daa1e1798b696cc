//! Builds the crate again when a migration is added: the macro that embeds them sees only the files that existed before.

fn main() {
    println!("cargo:rerun-if-changed=postgres");
    println!("cargo:rerun-if-changed=sqlite");
}
