//! JA4SSH: what an SSH session does, from packet lengths alone (FoxIO technical_details/JA4SSH.md).
//!
//! JA4SSH is Copyright (c) FoxIO, LLC, patent pending, licensed under the FoxIO License 1.1
//! (<https://github.com/FoxIO-LLC/ja4/blob/main/LICENSE>): no monetisation without a licence from FoxIO. Built only with
//! the cargo feature `ja4plus`. The code is our own, written from the description and the published examples.
//! Promises: at most 400 bytes of state and constant work per packet; a result for every 200 SSH packets.

/// SSH packets in one window.
const WINDOW_PACKETS: usize = 200;

/// Counters of one TCP connection that carries SSH.
#[derive(Clone, Debug, Default)]
pub struct Ja4Ssh {
    client: Side,
    server: Side,
}

#[derive(Clone, Debug, Default)]
struct Side {
    /// TCP payload lengths of this window's packets; at most `WINDOW_PACKETS` on both sides together.
    payload_lens: Vec<u16>,
    pure_acks: u32,
}

/// True when a side's first payload is an SSH identification string (RFC 4253 4.2; versions 1 and 2).
#[must_use]
pub fn is_ssh_banner(payload: &[u8]) -> bool {
    payload.strip_prefix(b"SSH-").is_some_and(|rest| matches!(rest, [b'1' | b'2', b'.', ..]))
}

impl Ja4Ssh {
    /// A connection of which nothing was counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one TCP packet. `pure_ack` means: no payload and no flag but ACK.
    ///
    /// Gives the fingerprint `c36s36_c51s80_c69s0` of a window when this packet completes it: the most frequent payload
    /// lengths of client and server (the smaller of equals), the SSH packets, the pure acknowledgements. Packets that are
    /// neither (SYN, FIN, RST) do not count. The caller leaves out retransmissions.
    pub fn packet(&mut self, from_client: bool, tcp_payload_bytes: usize, pure_ack: bool) -> Option<String> {
        let side = if from_client { &mut self.client } else { &mut self.server };
        if tcp_payload_bytes > 0 {
            side.payload_lens.push(u16::try_from(tcp_payload_bytes).unwrap_or(u16::MAX));
        } else if pure_ack {
            side.pure_acks = side.pure_acks.saturating_add(1);
        }
        let packets = self.client.payload_lens.len().saturating_add(self.server.payload_lens.len());
        if packets >= WINDOW_PACKETS { self.take() } else { None }
    }

    /// The fingerprint of the last, incomplete window at the end of the connection; None when it holds no SSH packet.
    pub fn finish(&mut self) -> Option<String> {
        self.take()
    }

    fn take(&mut self) -> Option<String> {
        let Self { client, server } = std::mem::take(self);
        if client.payload_lens.is_empty() && server.payload_lens.is_empty() {
            return None;
        }
        let (clients, servers) = (client.payload_lens.len(), server.payload_lens.len());
        let (client_acks, server_acks) = (client.pure_acks, server.pure_acks);
        let (client_mode, server_mode) = (mode(client.payload_lens), mode(server.payload_lens));
        Some(format!("c{client_mode}s{server_mode}_c{clients}s{servers}_c{client_acks}s{server_acks}"))
    }
}

/// The most frequent length, the smaller one of equals; 0 for none.
fn mode(mut lens: Vec<u16>) -> u16 {
    lens.sort_unstable();
    let (mut best, mut best_count) = (0, 0);
    for run in lens.chunk_by(|a, b| a == b) {
        if let (Some(len), true) = (run.first(), run.len() > best_count) {
            (best, best_count) = (*len, run.len());
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_200_ssh_packets_and_ties_go_to_the_smaller_length() {
        let mut ssh = Ja4Ssh::new();
        assert_eq!(ssh.packet(true, 0, true), None);
        for at in 0..199 {
            assert_eq!(ssh.packet(at % 4 == 0, if at % 8 == 0 { 36 } else { 48 + at % 3 }, false), None);
            assert_eq!(ssh.packet(false, 0, at % 2 == 0), None);
        }
        assert_eq!(ssh.packet(true, 36, false).as_deref(), Some("c36s48_c51s149_c1s100"));
        assert_eq!(ssh.finish(), None);
        ssh.packet(false, 20, false);
        ssh.packet(false, 10, false);
        assert_eq!(ssh.finish().as_deref(), Some("c0s10_c0s2_c0s0"));
    }

    #[test]
    fn banners_of_both_versions() {
        assert!(is_ssh_banner(b"SSH-2.0-OpenSSH_9.6\r\n") && is_ssh_banner(b"SSH-1.99-x"));
        assert!(!is_ssh_banner(b"SSH-x") && !is_ssh_banner(b"GET / HTTP/1.1") && !is_ssh_banner(b"SSH-"));
    }
}
