// Which addresses on the network are everybody's: what this server may call because somebody else named it.
import { BlockList, isIP } from 'node:net'

/** Not globally reachable, or another way to write such an address (IANA special-purpose registries, RFC 6890). */
const special: readonly (readonly [address: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // Unspecified, loopback and IPv4-compatible; what is mapped (::ffff:0:0/96) counts as the IPv4 address it maps.
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
]

const familyOf = (address: string): 'ipv4' | 'ipv6' | undefined =>
  (['ipv4', 'ipv6'] as const)[[4, 6].indexOf(isIP(address))]

/** `10.0.0.0/8`, `fd00::/8`, or one address. Undefined when it is neither. */
export function networkOf(text: string): { address: string; family: 'ipv4' | 'ipv6'; prefix: number } | undefined {
  const [, address = '', length] = /^([\da-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = familyOf(address)
  if (!family) return undefined
  const bits = family === 'ipv4' ? 32 : 128
  const prefix = length === undefined ? bits : Number(length)
  return prefix <= bits ? { address, family, prefix } : undefined
}

/**
 * Says of an IP address whether it may be called: a public one, or one in the `allowed` networks.
 * @throws {RangeError} for a network that is none.
 */
export function callable(allowed: readonly string[]): (address: string) => boolean {
  const refused = new BlockList()
  for (const [address, prefix] of special) refused.addSubnet(address, prefix, familyOf(address) ?? 'ipv6')
  const open = new BlockList()
  for (const text of allowed) {
    const network = networkOf(text)
    if (!network) throw new RangeError(`"${text}" is no network: write 10.0.0.0/8, fd00::/8 or an address`)
    open.addSubnet(network.address, network.prefix, network.family)
  }
  return (text) => {
    // A zone (`fe80::1%eth0`) says which wire, not which address.
    const address = text.replace(/%.*$/, '')
    const family = familyOf(address)
    return family !== undefined && (!refused.check(address, family) || open.check(address, family))
  }
}
