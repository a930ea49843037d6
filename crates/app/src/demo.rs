//! Three nodes, each a process and a data home of its own, on loopback: written to, edited, killed,
//! healed, compared.

mod machine;
mod story;

use std::path::Path;

use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone};

use machine::Machine;

/// The real input of the demo, `examples/listed-companies.csv`, as `build.rs` packed it.
const COMPANIES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/listed-companies.csv.zst"));

/// Runs the story in `dir`, or in a new folder under the temporary one.
///
/// # Errors
/// When anything differs at the end, or a step fails.
pub(crate) fn run(screen: Screen, dir: Option<&Path>) -> Result<(), Failure> {
    let dir = match dir {
        Some(dir) => dir.to_path_buf(),
        None => {
            let name = cocli_core::Epoch::from_random(crate::clock::random());
            std::env::temp_dir().join(format!("cocli-demo-{name}"))
        }
    };
    if dir.exists() {
        let message = format!("{} is there already: the demo wants a new folder", dir.display());
        return Err(Failure::new(Exit::Conflict, message));
    }
    std::fs::create_dir_all(&dir)?;
    let dir = std::fs::canonicalize(&dir)?;
    let started = crate::clock::monotonic();
    let laptop = Machine::first(&dir, "laptop")?;
    let ticket = laptop.ticket()?;
    let pi1 = Machine::joined(&dir, "pi1", &ticket)?;
    let cloud1 = Machine::joined(&dir, "cloud1", &ticket)?;
    let mut story = story::Story { screen, dir: dir.clone(), machines: vec![laptop, pi1, cloud1] };
    story.play()?;
    let equal = story.compare()?;
    let seconds = started.elapsed().as_secs_f64();
    screen.line("");
    if !equal {
        screen.line(screen.paint(Tone::Bad, "the nodes differ"));
        return Err(Failure::new(Exit::Failed, format!("the nodes differ; see {}", dir.display())));
    }
    screen.line(format!(
        "{} after {seconds:.1} s; the files are in {}",
        screen.paint(Tone::Good, "all three nodes are the same"),
        dir.display()
    ));
    let home = dir.join("laptop");
    for (command, what) in [
        ("show apple-inc", "a company as people read it"),
        ("log apple-inc", "what was written there, when and by whom"),
        ("list companies --where country=Germany", "a part of the pool"),
        ("set apple-inc city=Berlin", "write; `cocli undo` takes it back"),
    ] {
        let command = format!("cocli --data {} {command}", home.display());
        screen.line(format!("  {command}  {}", screen.paint(Tone::Faint, &format!("# {what}"))));
    }
    Ok(())
}

/// Writes the table where the import finds it.
fn table(dir: &Path) -> std::io::Result<std::path::PathBuf> {
    let path = dir.join("listed-companies.csv");
    zstd::stream::copy_decode(COMPANIES, std::fs::File::create(&path)?)?;
    Ok(path)
}
