//! Sends packets that look like those of a cluster until the cipher has looked at them: the worst
//! that somebody can do who has seen one packet and lacks the key. For `tests/net/flood.py`.
//!
//! usage: flood ADDRESS KEY-ID SECONDS PACKETS-A-SECOND SOURCES BYTES
//!
//! The sources are addresses of the loopback, from 127.1.0.0 on; it prints how many were sent and answered.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use cocli_net::{KeyId, PACKET_MAX};

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a tool by itself")]
fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [to, key, seconds, rate, sources, bytes] = words.as_slice() else {
        return Err("usage: flood ADDRESS KEY-ID SECONDS PACKETS-A-SECOND SOURCES BYTES".into());
    };
    let (to, key): (SocketAddr, _) = (to.parse()?, KeyId::read(key).ok_or("no key id")?);
    let (seconds, rate, sources): (f64, f64, u32) =
        (seconds.parse()?, rate.parse()?, sources.parse()?);
    let mut packet = cocli_net::random::<PACKET_MAX>()?;
    packet[..4].copy_from_slice(&[0xC0, 0xC1, b'P', 1]);
    packet[4..8].copy_from_slice(&key.0);
    let packet = packet.get(..bytes.parse()?).ok_or("more than a packet")?;
    let open = |n| -> std::io::Result<UdpSocket> {
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + n);
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect(to)?;
        Ok(socket)
    };
    let sockets = (0..sources).map(open).collect::<Result<Vec<_>, _>>()?;
    let (began, end) = (Instant::now(), Duration::try_from_secs_f64(seconds)?);
    let mut sent = 0_u32;
    while began.elapsed() < end {
        if f64::from(sent) > began.elapsed().as_secs_f64() * rate {
            std::hint::spin_loop();
            continue;
        }
        for socket in sockets.iter().cycle().skip(sent as usize % sockets.len()).take(32) {
            // A refusal by ICMP is of an earlier packet.
            sent += u32::from(socket.send(packet).is_ok());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut answers = 0;
    for socket in &sockets {
        socket.set_nonblocking(true)?;
        while socket.recv(&mut [0; PACKET_MAX]).is_ok() {
            answers += 1;
        }
    }
    println!("{{\"sent\": {sent}, \"seconds\": {seconds:.3}, \"answers\": {answers}}}");
    Ok(())
}
