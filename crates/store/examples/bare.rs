//! The rival of placing cards: a loop that writes the same bytes to the same number of files, and syncs
//! once at the end.
//!
//! usage: bare POOL COPY    (prints how many files, and the seconds without the reading of them)
#![allow(clippy::unwrap_used, reason = "a tool of measuring")]
#![allow(clippy::disallowed_methods, reason = "it measures itself")]
#![allow(clippy::print_stdout, reason = "its output")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let (pool, copy) = (paths.next().unwrap(), paths.next().unwrap());
    let mut folders = Vec::new();
    for folder in fs::read_dir(pool).unwrap() {
        let folder = folder.unwrap();
        let read = |file: fs::DirEntry| (file.file_name(), fs::read(file.path()).unwrap());
        let files = fs::read_dir(folder.path()).unwrap().map(|file| read(file.unwrap()));
        folders.push((copy.join(folder.file_name()), files.collect::<Vec<_>>()));
    }
    let began = Instant::now();
    fs::create_dir(&copy).unwrap();
    let mut count = 0;
    for (folder, files) in &folders {
        fs::create_dir(folder).unwrap();
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).unwrap();
            count += 1;
        }
    }
    sync(&copy);
    println!("{count} {:.3}", began.elapsed().as_secs_f64());
}

fn sync(folder: &Path) {
    let folder = fs::File::open(folder).unwrap();
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder).unwrap();
    #[cfg(not(target_os = "linux"))]
    folder.sync_all().unwrap();
}
