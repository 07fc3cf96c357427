/** What baresip and linphonec really sent through the lab's proxy, reduced to what matters for ICE. */
import type { Step } from './classification-sdp.ts';

function lines(text: string): string {
  const head = 'v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n';
  return `${head}${text.trim()}\n`.replaceAll(/\n */g, '\r\n');
}

/** baresip on one LAN: caller and callee select host, their default was srflx. */
export const BARESIP_HOST: readonly Step[] = [
  [
    'offer',
    'caller',
    lines(`c=IN IP4 192.168.1.11
      t=0 0
      a=ice-ufrag:oLGDhXx
      a=ice-pwd:1rYxYYGGpGwsNmxvJzQKzD2zEXcrwno
      m=audio 10448 RTP/SAVP 0 101
      c=IN IP4 203.0.113.2
      a=rtcp:10449 IN IP4 203.0.113.2
      a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 10448 typ host
      a=candidate:c0a8010b 2 UDP 2113929470 192.168.1.11 10449 typ host
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 10448 typ srflx raddr 192.168.1.11 rport 10448
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 10449 typ srflx raddr 192.168.1.11 rport 10449`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 192.168.1.12
      t=0 0
      a=ice-ufrag:cFeDL1d
      a=ice-pwd:SZyfuaMmm34KbgRNjFhA6EeWSXFUpnx
      m=audio 15894 RTP/SAVP 0 101
      c=IN IP4 203.0.113.2
      a=rtcp:15895 IN IP4 203.0.113.2
      a=candidate:c0a8010c 1 UDP 2113929471 192.168.1.12 15894 typ host
      a=candidate:c0a8010c 2 UDP 2113929470 192.168.1.12 15895 typ host
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 15894 typ srflx raddr 192.168.1.12 rport 15894
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 15895 typ srflx raddr 192.168.1.12 rport 15895`),
  ],
  [
    'offer',
    'caller',
    lines(`c=IN IP4 192.168.1.11
      t=0 0
      a=ice-ufrag:oLGDhXx
      a=ice-pwd:1rYxYYGGpGwsNmxvJzQKzD2zEXcrwno
      m=audio 10448 RTP/SAVP 0 101
      c=IN IP4 192.168.1.11
      a=rtcp:10449 IN IP4 192.168.1.11
      a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 10448 typ host
      a=candidate:c0a8010b 2 UDP 2113929470 192.168.1.11 10449 typ host
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 10448 typ srflx raddr 192.168.1.11 rport 10448
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 10449 typ srflx raddr 192.168.1.11 rport 10449
      a=remote-candidates:1 192.168.1.12 15894 2 192.168.1.12 15895 1 203.0.113.2 15894 2 203.0.113.2 15895`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 192.168.1.12
      t=0 0
      a=ice-ufrag:cFeDL1d
      a=ice-pwd:SZyfuaMmm34KbgRNjFhA6EeWSXFUpnx
      m=audio 15894 RTP/SAVP 0 101
      c=IN IP4 192.168.1.12
      a=rtcp:15895 IN IP4 192.168.1.12
      a=candidate:c0a8010c 1 UDP 2113929471 192.168.1.12 15894 typ host
      a=candidate:c0a8010c 2 UDP 2113929470 192.168.1.12 15895 typ host
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 15894 typ srflx raddr 192.168.1.12 rport 15894
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 15895 typ srflx raddr 192.168.1.12 rport 15895`),
  ],
];

/** baresip behind two cone NATs with STUN alone: the default was selected, no update. */
export const BARESIP_SRFLX: readonly Step[] = [
  [
    'offer',
    'caller',
    lines(`c=IN IP4 192.168.1.11
      t=0 0
      a=ice-ufrag:9i6nYJB
      a=ice-pwd:DYoiB4qxR4PJxTn4Y3A9W03KeaSImrt
      m=audio 12760 RTP/SAVP 0 101
      c=IN IP4 203.0.113.2
      a=rtcp:12761 IN IP4 203.0.113.2
      a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 12760 typ host
      a=candidate:c0a8010b 2 UDP 2113929470 192.168.1.11 12761 typ host
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 12760 typ srflx raddr 192.168.1.11 rport 12760
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 12761 typ srflx raddr 192.168.1.11 rport 12761`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 192.168.2.11
      t=0 0
      a=ice-ufrag:9zzmPyE
      a=ice-pwd:5kSuuqWkgJOY4oLjQLqa3QLL7FklDC7
      m=audio 11574 RTP/SAVP 0 101
      c=IN IP4 203.0.113.6
      a=rtcp:11575 IN IP4 203.0.113.6
      a=candidate:c0a8020b 1 UDP 2113929471 192.168.2.11 11574 typ host
      a=candidate:c0a8020b 2 UDP 2113929470 192.168.2.11 11575 typ host
      a=candidate:cb007107 2 UDP 1677721854 203.0.113.6 11575 typ srflx raddr 192.168.2.11 rport 11575
      a=candidate:cb007107 1 UDP 1677721855 203.0.113.6 11574 typ srflx raddr 192.168.2.11 rport 11574`),
  ],
];

const BARESIP_RELAY_CALLER = `c=IN IP4 192.168.1.11
      t=0 0
      a=ice-ufrag:MfaYe1v
      a=ice-pwd:WF1FmJjKVNji3HYwNK1jiZmVlTjiSss
      m=audio 50813 RTP/SAVP 0 101
      c=IN IP4 198.51.100.10
      a=rtcp:50733 IN IP4 198.51.100.10
      a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 11466 typ host
      a=candidate:c0a8010b 2 UDP 2113929470 192.168.1.11 11467 typ host
      a=candidate:c6336409 1 UDP 255 198.51.100.10 50813 typ relay raddr 192.168.1.11 rport 11466
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 18286 typ srflx raddr 192.168.1.11 rport 11466
      a=candidate:c6336409 2 UDP 254 198.51.100.10 50733 typ relay raddr 192.168.1.11 rport 11467
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 18318 typ srflx raddr 192.168.1.11 rport 11467`;

const BARESIP_RELAY_CALLEE = `c=IN IP4 192.168.2.11
      t=0 0
      a=ice-ufrag:G16RMIT
      a=ice-pwd:S8MoKaR7HrRHSuocqH52tcywt128V5d
      m=audio 50173 RTP/SAVP 0 101
      c=IN IP4 198.51.100.10
      a=rtcp:50380 IN IP4 198.51.100.10
      a=candidate:c0a8020b 1 UDP 2113929471 192.168.2.11 14766 typ host
      a=candidate:c0a8020b 2 UDP 2113929470 192.168.2.11 14767 typ host
      a=candidate:c6336409 1 UDP 255 198.51.100.10 50173 typ relay raddr 192.168.2.11 rport 14766
      a=candidate:cb007107 1 UDP 1677721855 203.0.113.6 33423 typ srflx raddr 192.168.2.11 rport 14766
      a=candidate:c6336409 2 UDP 254 198.51.100.10 50380 typ relay raddr 192.168.2.11 rport 14767
      a=candidate:cb007107 2 UDP 1677721854 203.0.113.6 25782 typ srflx raddr 192.168.2.11 rport 14767`;

/** baresip behind two symmetric NATs: relay to relay, the default, no update. */
export const BARESIP_RELAY: readonly Step[] = [
  ['offer', 'caller', lines(BARESIP_RELAY_CALLER)],
  ['answer', 'callee', lines(BARESIP_RELAY_CALLEE)],
];

/** baresip with TURN behind cone NATs: all the remote candidates are named; the callee's RTCP had not concluded. */
export const BARESIP_SRFLX_TURN: readonly Step[] = [
  [
    'offer',
    'caller',
    lines(`c=IN IP4 192.168.1.11
      t=0 0
      a=ice-ufrag:NkZ6dkT
      a=ice-pwd:75HWRVcOnHRF2iOSxvS7VeJGyASmFmE
      m=audio 50831 RTP/SAVP 0 101
      c=IN IP4 198.51.100.10
      a=rtcp:50236 IN IP4 198.51.100.10
      a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 14180 typ host
      a=candidate:c6336409 1 UDP 255 198.51.100.10 50831 typ relay raddr 192.168.1.11 rport 14180
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 14180 typ srflx raddr 192.168.1.11 rport 14180
      a=candidate:c6336409 2 UDP 254 198.51.100.10 50236 typ relay raddr 192.168.1.11 rport 14181
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 14181 typ srflx raddr 192.168.1.11 rport 14181`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 192.168.2.11
      t=0 0
      a=ice-ufrag:zuxDtRu
      a=ice-pwd:s2HGbi01thVFBj3tD3L9iw2nFMWdiLO
      m=audio 50909 RTP/SAVP 0 101
      c=IN IP4 198.51.100.10
      a=rtcp:50789 IN IP4 198.51.100.10
      a=candidate:c0a8020b 1 UDP 2113929471 192.168.2.11 12680 typ host
      a=candidate:c6336409 2 UDP 254 198.51.100.10 50789 typ relay raddr 192.168.2.11 rport 12681
      a=candidate:cb007107 2 UDP 1677721854 203.0.113.6 12681 typ srflx raddr 192.168.2.11 rport 12681
      a=candidate:c6336409 1 UDP 255 198.51.100.10 50909 typ relay raddr 192.168.2.11 rport 12680
      a=candidate:cb007107 1 UDP 1677721855 203.0.113.6 12680 typ srflx raddr 192.168.2.11 rport 12680`),
  ],
  [
    'offer',
    'caller',
    lines(`c=IN IP4 192.168.1.11
      t=0 0
      a=ice-ufrag:NkZ6dkT
      a=ice-pwd:75HWRVcOnHRF2iOSxvS7VeJGyASmFmE
      m=audio 14180 RTP/SAVP 0 101
      c=IN IP4 203.0.113.2
      a=rtcp:14181 IN IP4 203.0.113.2
      a=candidate:c0a8010b 1 UDP 2113929471 192.168.1.11 14180 typ host
      a=candidate:c6336409 1 UDP 255 198.51.100.10 50831 typ relay raddr 192.168.1.11 rport 14180
      a=candidate:cb007103 1 UDP 1677721855 203.0.113.2 14180 typ srflx raddr 192.168.1.11 rport 14180
      a=candidate:c6336409 2 UDP 254 198.51.100.10 50236 typ relay raddr 192.168.1.11 rport 14181
      a=candidate:cb007103 2 UDP 1677721854 203.0.113.2 14181 typ srflx raddr 192.168.1.11 rport 14181
      a=remote-candidates:1 192.168.2.11 12680 2 198.51.100.10 50789 2 203.0.113.6 12681 1 198.51.100.10 50909 1 203.0.113.6 12680`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 192.168.2.11
      t=0 0
      a=ice-ufrag:zuxDtRu
      a=ice-pwd:s2HGbi01thVFBj3tD3L9iw2nFMWdiLO
      m=audio 12680 RTP/SAVP 0 101
      c=IN IP4 203.0.113.6
      a=rtcp:50789 IN IP4 198.51.100.10
      a=candidate:c0a8020b 1 UDP 2113929471 192.168.2.11 12680 typ host
      a=candidate:c6336409 2 UDP 254 198.51.100.10 50789 typ relay raddr 192.168.2.11 rport 12681
      a=candidate:cb007107 2 UDP 1677721854 203.0.113.6 12681 typ srflx raddr 192.168.2.11 rport 12681
      a=candidate:c6336409 1 UDP 255 198.51.100.10 50909 typ relay raddr 192.168.2.11 rport 12680
      a=candidate:cb007107 1 UDP 1677721855 203.0.113.6 12680 typ srflx raddr 192.168.2.11 rport 12680`),
  ],
];

const LINPHONE_CALLER = `c=IN IP4 192.168.1.11
      t=0 0
      a=ice-pwd:b9b69df1dae3797adf38130c
      a=ice-ufrag:45262255`;

/** linphonec behind symmetric NATs: the caller's selected address is peer-reflexive, the callee's a relay. */
export const LINPHONE_RELAY: readonly Step[] = [
  [
    'offer',
    'caller',
    lines(`${LINPHONE_CALLER}
      m=audio 50699 RTP/SAVP 0 96
      c=IN IP4 198.51.100.10
      a=rtcp:50376
      a=candidate:1 1 UDP 2130706303 192.168.1.11 12000 typ host
      a=candidate:1 2 UDP 2130706302 192.168.1.11 12001 typ host
      a=candidate:2 1 UDP 1694498687 203.0.113.2 48712 typ srflx raddr 192.168.1.11 rport 12000
      a=candidate:3 1 UDP 16777087 198.51.100.10 50699 typ relay raddr 192.168.1.11 rport 12000
      a=candidate:2 2 UDP 1694498686 203.0.113.2 31928 typ srflx raddr 192.168.1.11 rport 12001
      a=candidate:3 2 UDP 16777086 198.51.100.10 50376 typ relay raddr 192.168.1.11 rport 12001`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 192.168.2.11
      t=0 0
      a=ice-pwd:e66d9c08c9576faeec1f8af9
      a=ice-ufrag:81fb4c09
      m=audio 55623 RTP/SAVP 0 96
      c=IN IP4 203.0.113.6
      a=rtcp:10590
      a=candidate:1 1 UDP 2130706303 192.168.2.11 12000 typ host
      a=candidate:1 2 UDP 2130706302 192.168.2.11 12001 typ host
      a=candidate:2 1 UDP 1694498687 203.0.113.6 55623 typ srflx raddr 192.168.2.11 rport 12000
      a=candidate:3 1 UDP 16777087 198.51.100.10 50018 typ relay raddr 192.168.2.11 rport 12000
      a=candidate:2 2 UDP 1694498686 203.0.113.6 10590 typ srflx raddr 192.168.2.11 rport 12001
      a=candidate:3 2 UDP 16777086 198.51.100.10 50912 typ relay raddr 192.168.2.11 rport 12001`),
  ],
  [
    'offer',
    'caller',
    lines(`${LINPHONE_CALLER.replace('192.168.1.11', '203.0.113.2')}
      m=audio 61693 RTP/SAVP 0 96
      a=rtcp:39636
      a=candidate:4 1 UDP 1862270847 203.0.113.2 61693 typ prflx raddr 192.168.1.11 rport 12000
      a=candidate:4 2 UDP 1862270846 203.0.113.2 39636 typ prflx raddr 192.168.1.11 rport 12001
      a=remote-candidates:1 198.51.100.10 50018 2 198.51.100.10 50912`),
  ],
  [
    'answer',
    'callee',
    lines(`c=IN IP4 198.51.100.10
      t=0 0
      a=ice-pwd:e66d9c08c9576faeec1f8af9
      a=ice-ufrag:81fb4c09
      m=audio 50018 RTP/SAVP 0 96
      a=rtcp:50912
      a=candidate:3 1 UDP 16777087 198.51.100.10 50018 typ relay raddr 192.168.2.11 rport 12000
      a=candidate:3 2 UDP 16777086 198.51.100.10 50912 typ relay raddr 192.168.2.11 rport 12001`),
  ],
];
