//! What the keeper says of a call counts for that call alone.

use cocli_store::checkpoint::Wanted;

use super::super::event::Part;
use super::*;

fn begin(calls: &mut Calls, peer: u64) -> u64 {
    let mut out = Vec::new();
    let to = SocketAddr::from(([127, 0, 0, 1], 4000));
    calls.take_checkpoint(0, (Boot(peer), to), Vec::new(), &mut out);
    let [Output::Ask { call, .. }] = out[..] else { panic!("{out:?}") };
    call
}

fn manifest_came(calls: &mut Calls, call: u64) {
    let (bytes, mut out) = (Answer::Manifest(b"told".to_vec()).write(), Vec::new());
    let taking = calls.taking.as_mut().unwrap();
    taking.answered(0, &bytes, &mut out).unwrap();
    assert_eq!(out, [Output::Keep { call, part: Part::Manifest(b"told".to_vec()) }]);
}

#[test]
fn what_the_keeper_says_of_a_call_that_ended_changes_nothing_in_the_next() {
    let next = Came::Next { wanted: Some(Wanted::Odd(None)), came: 9, all: 10 };
    for late in [next, Came::Whole, Came::Refused("its lines are wrong".to_owned())] {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        let ended = begin(&mut calls, 1);
        manifest_came(&mut calls, ended);
        calls.failed(ended, &mut Vec::new());
        let call = begin(&mut calls, 2);
        let deadline = calls.deadline();
        assert_eq!(calls.came(7, ended, late, &mut out), []);
        assert_eq!(out, []);
        assert_eq!((calls.taking(), calls.deadline()), (Some((Boot(2), 0, 0)), deadline));
        // What is said of the call that goes on counts.
        manifest_came(&mut calls, call);
        let inputs = calls.came(8, call, Came::Whole, &mut out);
        assert_eq!(inputs, [Input::CheckpointEnded { peer: Boot(2), whole: true }]);
        assert_eq!(out, [Output::Hang { call }, Output::Join]);
    }
}
