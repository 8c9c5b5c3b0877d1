"""Which addresses lie outside, however they are written: nobody makes us knock on doors of our own network.

Forms of IPv6 that carry an IPv4 address are judged by that.
"""

import ipaddress

NAT64 = ipaddress.ip_network("64:ff9b::/96")
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
COMPATIBLE = ipaddress.ip_network("::/96")

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Ip) -> bool:
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or (isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in LOCAL_NAT64))
    )


def counted_as(address: str | None) -> str:
    """By whom somebody who comes from there is counted: who has one address of IPv6 has all 2^64 of its network."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.IPv6Network((int(known), 64), strict=False))


def _carried(address: Ip) -> ipaddress.IPv4Address | None:
    """The IPv4 address to which this one leads."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.teredo:
        return address.teredo[1]
    if address in NAT64 or address in COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
