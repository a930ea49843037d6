//! The thread that listens for packets, and what it refuses.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use cocli_net::{Ring, Udp};

use super::Event;

/// Whatever comes by UDP fits; what is longer than a packet of ours does not open.
const BUFFER_BYTES: usize = 65_536;
/// How long one wait for a packet is.
const WAIT: Duration = Duration::from_secs(1);

/// Opens packets under the cluster's keys until the daemon ends.
pub(super) fn listen(udp: Arc<Udp>, ring: Ring, cluster: [u8; 16], events: Sender<Event>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0_u8; BUFFER_BYTES];
        loop {
            // An error of the socket passes (an interface that comes and goes).
            let Ok(Some((length, from))) = udp.recv(&mut buffer, WAIT) else { continue };
            let event = match cocli_net::open(&ring, &cluster, &buffer[..length]) {
                Ok(bytes) => Event::Packet { from, bytes },
                Err(_) => Event::Refused,
            };
            if events.send(event).is_err() {
                return;
            }
        }
    });
}
