import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Who is at the other end of a connection on 127.0.0.1. */
export interface LoopbackPeer {
  readonly uid: number;
  /** Of its socket; the kernel gives each a number of its own. */
  readonly inode: string;
}

/**
 * Undefined where the kernel does not tell: the peer has gone, is on another machine, or /proc cannot be read. So is one
 * at another of the loopback's addresses: by 127.0.0.2 any port of somebody's at 127.0.0.1 can be used a second time.
 */
export function loopbackPeer({ remoteAddress, remotePort, localAddress, localPort }: Socket): LoopbackPeer | undefined {
  if (remoteAddress !== ADDRESS || localAddress !== ADDRESS) return undefined;
  if (remotePort === undefined || localPort === undefined) return undefined;
  const ends = ` ${procAddress(remotePort)} ${procAddress(localPort)} `;
  try {
    const line = readFileSync('/proc/self/net/tcp', 'latin1')
      .split('\n')
      .find((text) => text.includes(ends));
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
    const fields = line?.trim().split(/\s+/);
    const [uid, inode] = [fields?.[7], fields?.[9]];
    return uid === undefined || inode === undefined || inode === '0' ? undefined : { uid: Number(uid), inode };
  } catch {
    return undefined;
  }
}

/** Whether this process holds the socket itself. */
export function isOwnSocket({ inode }: LoopbackPeer): boolean {
  const link = `socket:[${inode}]`;
  return readdirSync('/proc/self/fd').some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === link;
    } catch {
      return false; // The one that read the folder.
    }
  });
}

const ADDRESS = '127.0.0.1';

/** It as it stands in memory, in hexadecimal digits. */
const LOOPBACK = new Uint32Array(Uint8Array.of(127, 0, 0, 1).buffer)[0]?.toString(16).toUpperCase().padStart(8, '0');

function procAddress(port: number): string {
  return `${LOOPBACK}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}
