//! The checkpoint that a hub published: which is the newest, and its files on their way here.

use std::sync::mpsc;

use cocli_core::bucket::manifest::name_of_odd;
use cocli_core::bucket::{Bucket, Failure, Key, Manifest, newest};
use cocli_core::digest::{Hasher, hash};
use cocli_core::limits::{MANIFEST_BYTES_MAX, ODD_TAKEN_BYTES_MAX};
use cocli_core::{ClusterId, LogId, SortedFile, Vector};
use cocli_store::checkpoint::{Incoming, Taken, Told, Wanted};

use super::Durable;
use super::check::gone;
use super::packed::{unpack, unpack_lines};
use crate::error::Result;

/// Bytes of lines, not compressed, of files that are asked for at once; or one file. Two such groups are held.
const GROUP_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that a manifest may unfold to: its text stands in it as a string, with the names of its files.
const TEXT_BYTES_MAX: usize = 4 * MANIFEST_BYTES_MAX;

/// A file of the checkpoint: where it stands, and the bytes of its lines.
type Asked = (SortedFile, Key, u64);

/// The newest manifest of a bucket, of which the `known`th is there or 0; none before the first.
///
/// # Errors
/// When the bucket cannot be asked, or what stands there is none of this cluster.
pub fn newest_manifest(
    bucket: &dyn Bucket,
    cluster: ClusterId,
    known: u64,
) -> Result<Option<Manifest>, Failure> {
    match newest(known, |n| bucket.get(&Key::manifest(n)))? {
        (0, _) => Ok(None),
        (n, Some(packed)) => unpacked(&packed, cluster, n).map(Some),
        (n, None) => {
            let key = Key::manifest(n);
            Err(Failure::wrong(&key, "it was there a moment ago, and is not any more"))
        }
    }
}

/// The `n`th manifest of a bucket, if it is there.
///
/// # Errors
/// As [`newest_manifest`].
pub(super) fn manifest(
    bucket: &dyn Bucket,
    cluster: ClusterId,
    n: u64,
) -> Result<Option<Manifest>, Failure> {
    bucket.get(&Key::manifest(n))?.map(|packed| unpacked(&packed, cluster, n)).transpose()
}

/// Reads a manifest as it stood there.
pub(super) fn unpacked(packed: &[u8], cluster: ClusterId, n: u64) -> Result<Manifest, Failure> {
    let key = Key::manifest(n);
    let text = unpack(&key, packed, TEXT_BYTES_MAX)?;
    let manifest = Manifest::read(&text).ok_or_else(|| {
        Failure::wrong(&key, "it is no manifest that this version of cocli can read")
    })?;
    if manifest.cluster != cluster {
        let what =
            format!("expected one of the cluster {cluster}, and it is of {}", manifest.cluster);
        return Err(Failure::wrong(&key, &what));
    }
    if manifest.n != n {
        return Err(Failure::wrong(
            &key,
            &format!("it says of itself that it is the {}th", manifest.n),
        ));
    }
    Ok(manifest)
}

/// What a manifest tells of its checkpoint; nothing where it has none.
pub(super) fn told(manifest: &Manifest) -> Option<Told> {
    Told::read(manifest.checkpoint.as_deref()?.as_bytes())
}

impl Durable<'_> {
    /// Takes the checkpoint that a manifest tells, as a peer's is taken: the next compaction joins it, and of
    /// the logs that begin nowhere here, or below it, those that `goes_on` go on from its frontier. `heard` is told the bytes of lines that
    /// came, and that there are. What came is kept: when it is asked again, also of a newer manifest, only
    /// what is lacking is asked for.
    ///
    /// Gives the frontier; nothing where the manifest has no checkpoint.
    ///
    /// # Errors
    /// When the bucket cannot be asked, a file is not what it is named by, or the disk refuses: nothing
    /// is joined then.
    pub fn take_published(
        &self,
        manifest: &Manifest,
        goes_on: &dyn Fn(&LogId) -> bool,
        heard: &dyn Fn(u64, u64),
    ) -> Result<Option<Vector>> {
        let Some(text) = &manifest.checkpoint else { return Ok(None) };
        let key = Key::manifest(manifest.n);
        let begun = Incoming::begin(self.home.disk.clone(), text.as_bytes())?;
        let mut incoming = begun.map_err(|why| Failure::wrong(&key, &why))?;
        self.take_files(&mut incoming, manifest, heard)?;
        self.take_odd(&mut incoming, manifest)?;
        let frontier = incoming.frontier().clone();
        let logs = frontier.0.keys().filter(|log| goes_on(log)).cloned().collect();
        match incoming.is_whole(&logs)? {
            true => Ok(Some(frontier)),
            false => Err(Failure::wrong(&key, "what it names is not all of its checkpoint").into()),
        }
    }

    /// Looks at one of the files that a manifest names, by turns: its name, and why it cannot be taken.
    ///
    /// # Errors
    /// When the bucket cannot be asked.
    pub(super) fn spoilt(&self, manifest: &Manifest) -> Result<Option<(String, String)>, Failure> {
        let turn = manifest.n.checked_rem(manifest.files.len() as u64).unwrap_or_default();
        let file = manifest.files.iter().nth(usize::try_from(turn).unwrap_or_default());
        let Some((name, generation)) = file else { return Ok(None) };
        let key = Key::checkpoint(*generation, name);
        let Some(packed) = self.bucket.get(&key)? else {
            return Ok(Some((name.clone(), gone(&key))));
        };
        let mut hasher = Hasher::default();
        let read = unpack_lines(&key, &packed, u64::MAX - 1, |piece| {
            hasher.add(piece);
            Ok::<(), Failure>(())
        });
        let why = match read {
            Ok(()) if name.ends_with(&format!("-{:032x}", hasher.done())) => return Ok(None),
            Ok(()) => format!("{key} in the bucket: its bytes are not those that it is named by"),
            Err(failure) => failure.to_string(),
        };
        Ok(Some((name.clone(), why)))
    }

    fn take_files(
        &self,
        incoming: &mut Incoming,
        manifest: &Manifest,
        heard: &dyn Fn(u64, u64),
    ) -> Result<()> {
        // A file that came in an earlier life may turn out to be damaged: it is asked for in the next round.
        while let Some(Wanted::Lines(..)) = incoming.wanted()? {
            let groups = groups(manifest, incoming.lacking()?)?;
            std::thread::scope(|scope| {
                let (send, receive) = mpsc::sync_channel(0);
                let asking = scope.spawn(move || {
                    for group in groups {
                        let got = get(self.bucket, &group)?;
                        if send.send((group, got)).is_err() {
                            break;
                        }
                    }
                    Ok::<(), Failure>(())
                });
                for (group, got) in receive {
                    for ((file, key, bytes), packed) in group.into_iter().zip(got) {
                        take_file(incoming, (file, &key, bytes), &packed)?;
                        let (came, all) = incoming.progress();
                        heard(came, all);
                    }
                }
                let asked = asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                Ok::<(), crate::error::NodeError>(asked?)
            })?;
        }
        Ok(())
    }

    fn take_odd(&self, incoming: &mut Incoming, manifest: &Manifest) -> Result<()> {
        if let Some((name, generation)) = &manifest.odd {
            let key = Key::checkpoint(*generation, name);
            let max = usize::try_from(ODD_TAKEN_BYTES_MAX).unwrap_or(usize::MAX);
            let entries = unpack(&key, &there(&key, self.bucket.get(&key)?)?, max)?;
            if name_of_odd(hash(&entries)) != *name {
                return Err(
                    Failure::wrong(&key, "its bytes are not those that it is named by").into()
                );
            }
            if !entries.is_empty() {
                kept(&key, incoming.take_odd(&entries)?)?;
            }
        }
        if incoming.wanted()?.is_some() {
            kept(&Key::manifest(manifest.n), incoming.take_odd(&[])?)?;
        }
        Ok(())
    }
}

/// Parts what is lacking into groups, and says where each file stands.
fn groups(
    manifest: &Manifest,
    lacking: Vec<(SortedFile, u64)>,
) -> Result<Vec<Vec<Asked>>, Failure> {
    let (mut groups, mut room) = (Vec::new(), 0);
    for (file, bytes) in lacking {
        let key = manifest.file(file).ok_or_else(|| {
            let name = cocli_core::bucket::manifest::name_of(file);
            Failure::wrong(
                &Key::manifest(manifest.n),
                &format!("it does not say where {name} stands"),
            )
        })?;
        if groups.is_empty() || bytes > room {
            groups.push(Vec::new());
            room = GROUP_BYTES;
        }
        room = room.saturating_sub(bytes);
        if let Some(group) = groups.last_mut() {
            group.push((file, key, bytes));
        }
    }
    Ok(groups)
}

/// The files of a group as they stand there, in its order.
fn get(bucket: &dyn Bucket, group: &[Asked]) -> Result<Vec<Vec<u8>>, Failure> {
    let keys: Vec<Key> = group.iter().map(|(_, key, _)| key.clone()).collect();
    let got = bucket.get_together(&keys)?;
    keys.iter().zip(got).map(|(key, bytes)| there(key, bytes)).collect()
}

fn there(key: &Key, bytes: Option<Vec<u8>>) -> Result<Vec<u8>, Failure> {
    bytes.ok_or_else(|| Failure::wrong(key, "it is not there, and the newest manifest names it"))
}

/// Takes the lines of a file, from where on they are wanted.
fn take_file(
    incoming: &mut Incoming,
    (file, key, bytes): (SortedFile, &Key, u64),
    packed: &[u8],
) -> Result<()> {
    let from = match incoming.wanted()? {
        Some(Wanted::Lines(wanted, from)) if wanted == file => from,
        // One before it came damaged in an earlier life, and is asked for first.
        _ => return Ok(()),
    };
    let mut at = 0;
    unpack_lines(key, packed, bytes, |piece| {
        let begins = at;
        at += piece.len() as u64;
        let behind = usize::try_from(from.saturating_sub(begins)).unwrap_or(usize::MAX);
        match piece.get(behind..).filter(|rest| !rest.is_empty()) {
            Some(rest) => kept(key, incoming.take(file, begins.max(from), rest)?),
            None => Ok(()),
        }
    })?;
    match at == bytes {
        true => Ok(()),
        false => {
            Err(Failure::wrong(key, &format!("expected {bytes} bytes of lines, and it has {at}"))
                .into())
        }
    }
}

fn kept(key: &Key, taken: Taken) -> Result<()> {
    match taken {
        Taken::Kept => Ok(()),
        Taken::Elsewhere => Err(Failure::wrong(key, "it is not what was asked for").into()),
        Taken::Refused(why) => Err(Failure::wrong(key, &why).into()),
    }
}
