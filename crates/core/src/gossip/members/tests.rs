use alloc::vec;

use foca::{Codec as _, Header, Member as Update, Message as Said};
use proptest::prelude::*;

use super::*;

fn members(name: &str, boot: u64) -> Members {
    Members::new(NodeId::read(name).unwrap(), Boot(boot), Dice::new(boot))
}

fn any_member() -> impl Strategy<Value = Member> {
    let name = "[a-z0-9][a-z0-9.-]{0,62}".prop_map(|name| NodeId::read(&name).unwrap());
    (name, any::<(u64, u16)>(), any::<SocketAddr>()).prop_map(|(node, (boot, life), address)| {
        let address = SocketAddr::new(address.ip(), address.port());
        Member { node, boot: Boot(boot), life, address }
    })
}

fn any_said() -> impl Strategy<Value = Said<Member>> {
    prop_oneof![
        any::<u8>().prop_map(Said::Ping),
        any::<u8>().prop_map(Said::Ack),
        (any_member(), any::<u8>())
            .prop_map(|(target, probe_number)| Said::PingReq { target, probe_number }),
        (any_member(), any::<u8>())
            .prop_map(|(origin, probe_number)| Said::IndirectPing { origin, probe_number }),
        Just(Said::Announce),
        Just(Said::Gossip),
        Just(Said::TurnUndead),
    ]
}

proptest! {
    #[test]
    fn a_message_reads_back_with_the_address_from_which_it_came(
        src in any_member(),
        dst in any_member(),
        from in any::<SocketAddr>(),
        src_incarnation in any::<u16>(),
        message in any_said(),
    ) {
        let from = SocketAddr::new(from.ip(), from.port());
        let mut codec = Codec { node: dst.node.clone() };
        let header = Header { src, src_incarnation, dst, message };
        let mut written = Vec::new();
        codec.encode_header(&header, &mut written).unwrap();
        let sender = Member { address: from, life: 0, ..header.src.clone() };
        let whole = sieve(&header.dst.node, &sender, body(&written), |_| true).unwrap();
        let read = codec.decode_header(&whole[..]).unwrap();
        prop_assert_eq!(read.src.address, from);
        prop_assert_eq!(&read.src.node, &header.src.node);
        prop_assert_eq!(read, header);
    }

    #[test]
    fn any_bytes_are_heard_or_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..320)) {
        let mut members = members("a", 1);
        let sender = Member::new(NodeId::read("b").unwrap(), Boot(2), NOWHERE);
        let _ = members.hear(&sender, &bytes, 0, |_| true);
    }

    #[test]
    fn a_message_cut_anywhere_is_refused(updates in prop::collection::vec(any_member(), 1..4), cut in any::<u16>()) {
        let mut codec = Codec { node: NodeId::read("b").unwrap() };
        let src = Member::new(NodeId::read("a").unwrap(), Boot(1), NOWHERE);
        let dst = Member::new(codec.node.clone(), Boot(2), NOWHERE);
        let message = Said::Gossip;
        let mut bytes = Vec::new();
        codec.encode_header(&Header { src: src.clone(), src_incarnation: 0, dst, message }, &mut bytes).unwrap();
        let head = body(&bytes).len();
        bytes.extend(u16::try_from(updates.len()).unwrap().to_be_bytes());
        for update in updates {
            codec.encode_member(&Update::alive(update), &mut bytes).unwrap();
        }
        let whole = body(&bytes);
        let cut = head + 1 + usize::from(cut) % (whole.len() - head - 1);
        prop_assert_eq!(sieve(&codec.node, &src, &whole[..cut], |_| true), Err(Broken));
        prop_assert!(sieve(&codec.node, &src, whole, |_| true).is_ok());
    }
}

#[test]
fn only_peers_are_taken_in_and_the_address_of_others_is_handed_back() {
    let mut b = members("b", 2);
    let address = SocketAddr::from(([10, 0, 0, 3], 9999));
    let update =
        |boot, address| Update::alive(Member::new(NodeId::read("c").unwrap(), Boot(boot), address));
    let mut codec = Codec { node: NodeId::read("b").unwrap() };
    let src = Member::new(NodeId::read("a").unwrap(), Boot(1), NOWHERE);
    let dst = Member::new(codec.node.clone(), Boot(2), NOWHERE);
    let mut bytes = Vec::new();
    let header = Header { src: src.clone(), src_incarnation: 0, dst, message: Said::Feed };
    codec.encode_header(&header, &mut bytes).unwrap();
    bytes.extend([0, 2]);
    codec.encode_member(&update(3, address), &mut bytes).unwrap();
    codec.encode_member(&update(4, NOWHERE), &mut bytes).unwrap();
    let (_, unmet) = b.hear(&src, body(&bytes), 0, |boot| boot == Boot(4)).unwrap();
    assert_eq!(unmet, vec![address]);
    assert_eq!(b.standing(Boot(3)), None);
    assert_eq!(b.standing(Boot(4)), Some(Standing::Alive));
}
