//! What one node tells another of a new key, and what it makes of what it is told.

use cocli_core::NodeId;
use cocli_net::KeyId;

use super::KIND;
use crate::rekey::{Phase, Public, Told, Verdict};
use crate::ring::Held;

/// What may be told to the node of this stream: the key to whom it is given, nothing to others, `None` when it
/// is left out.
pub(super) fn telling(held: &Held, whose: &Public, under: KeyId) -> Option<Vec<u8>> {
    let mut bytes = vec![KIND];
    if let Some(rekey) = &held.rekey {
        if rekey.refuses_key(whose) {
            return None;
        }
        if rekey.heir(whose).is_some() || rekey.key.id() == under {
            let used = rekey.phase(&held.ring) != Phase::Taken;
            bytes.extend_from_slice(rekey.to_told(used).as_bytes());
        }
    }
    Some(bytes)
}

/// Seals with the new key from now on, should it await that.
pub(super) fn use_key(held: &mut Held) {
    if let Some(rekey) = held.rekey.as_ref().filter(|rekey| held.awaits(rekey.key.id())) {
        // Of a ring without it nothing changes: it is put in first.
        let _ = held.ring.use_key(rekey.key.id());
    }
}

/// Everybody has come: nobody needs the old keys any more.
pub(super) fn drop_old(held: &mut Held) {
    let old = held.rekey.as_ref().map(|rekey| rekey.old.clone()).unwrap_or_default();
    for id in old {
        // The one in use stays, and what a person took out is gone already.
        let _ = held.ring.remove(id);
    }
}

/// Takes in what another node told, whose stream key is known. Says what a person may want to read.
///
/// # Errors
/// Why it is not taken: nothing has changed then.
pub(super) fn take_told(
    held: &mut Held,
    told: Told,
    (me, own): (&NodeId, Public),
    latest: i64,
) -> Result<Option<String>, String> {
    let verdict = held.rekey.as_ref().map_or(Verdict::Theirs, |ours| ours.against(&told.rekey));
    let mut news = None;
    match verdict {
        Verdict::Ours => return Ok(None),
        Verdict::Contrary => {
            let ours = held.rekey.as_ref().map(|rekey| &rekey.out);
            let theirs =
                told.rekey.out.keys().find(|out| ours.is_some_and(|o| !o.contains_key(out)));
            let whom = theirs.map_or("?", NodeId::as_str);
            return Err(format!(
                "another node has another new key, one that leaves {whom} out: \
                 if that is right, `cocli node rm {whom}` here settles it"
            ));
        }
        Verdict::Same => {
            if let Some(rekey) = &mut held.rekey {
                rekey.learn(&told.rekey);
            }
        }
        Verdict::Theirs => {
            let mut fresh = told.rekey;
            let mine = fresh.heirs.get(me).is_some_and(|heir| heir.public == own);
            if !mine {
                let why = "there is a new key that is not given to this node: if that is wrong, \
                           `cocli ticket` on a node that has it, and `cocli join -` here";
                return Err(why.into());
            }
            if fresh.made > latest {
                let why = "there is a new key that was made more than a day ahead of the clock here: \
                           set the clock that is wrong; if it is that of the other one, \
                           `cocli ticket` there, and `cocli join -` here";
                return Err(why.into());
            }
            fresh.has(me);
            fresh.enter(&mut held.ring, held.rekey.as_ref()).map_err(|error| {
                format!("there is a new key, but {error}: `cocli key remove ID`")
            })?;
            let out: Vec<&str> = fresh.out.keys().map(NodeId::as_str).collect();
            news = Some(format!("a new key, {}, leaves out {}", fresh.key.id(), out.join(", ")));
            held.rekey = Some(fresh);
        }
    }
    if told.used {
        use_key(held);
    }
    Ok(news)
}
