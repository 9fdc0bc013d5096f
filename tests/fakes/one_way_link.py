"""A link between two network namespaces whose return direction is cut, and which loses what it is told to.

Sender and receiver each have a namespace; between them stands a third that forwards. nft drops there a share
of the datagrams at random, and all that comes from the receiver. Hardware addresses are set by hand, as
on a diode, where nobody can ask for them. Needs root, iproute2 and nft.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

SENDER_ADDRESS, RECEIVER_ADDRESS = "10.77.1.2", "10.77.2.2"
_ROUTER_ADDRESSES = "10.77.1.1", "10.77.2.1"


def missing() -> list[str]:
    """What this machine lacks for such a link; empty when it can be made."""
    found = [] if os.geteuid() == 0 else ["root"]
    return found + [name for name in ("ip", "nft") if not shutil.which(name)]


@dataclass(frozen=True)
class OneWayLink:
    """The link, by the names of its namespaces."""

    sender: str
    router: str
    receiver: str

    def in_sender(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.sender, *command]

    def in_receiver(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.receiver, *command]

    def lose(self, per_mille: int) -> None:
        """Drop this share of the datagrams from now on, each for itself."""
        _run("ip", "netns", "exec", self.router, "nft", "flush", "chain", "inet", "link", "there")
        if per_mille:
            rule = f"numgen random mod 1000 < {per_mille} counter drop"
            _nft(self.router, f"add rule inet link there {rule}")
        _nft(self.router, "add rule inet link there counter accept")

    def counted(self) -> tuple[int, int]:
        """Packets that passed towards the receiver, and packets that were tried back."""
        found = json.loads(
            _run("ip", "netns", "exec", self.router, "nft", "-j", "list", "table", "inet", "link")
        )
        passed = back = 0
        for entry in found["nftables"]:
            rule = entry.get("rule", {})
            counts = [e["counter"]["packets"] for e in rule.get("expr", []) if "counter" in e]
            if rule.get("chain") == "there" and "accept" in str(rule["expr"]):
                passed += sum(counts)
            if rule.get("chain") == "back":
                back += sum(counts)
        return passed, back


@contextmanager
def one_way_link() -> Iterator[OneWayLink]:
    """A link that loses nothing yet; gone afterwards, with everything that runs in it."""
    if lacking := missing():
        names = ", ".join(lacking)
        msg = f"a one-way link needs {names}: run tools/ensure-link-tools, and the tests as root"
        raise RuntimeError(msg)
    tag = uuid.uuid4().hex[:6]
    link = OneWayLink(f"cls{tag}", f"clr{tag}", f"cle{tag}")
    names = (link.sender, link.router, link.receiver)
    try:
        for name in names:
            _run("ip", "netns", "add", name)
        _wire(link.sender, link.router, "there", SENDER_ADDRESS, _ROUTER_ADDRESSES[0])
        _wire(link.receiver, link.router, "back", RECEIVER_ADDRESS, _ROUTER_ADDRESSES[1])
        _run("ip", "netns", "exec", link.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        _nft(link.router, "add table inet link")
        _nft(link.router, "add chain inet link there")
        _nft(link.router, "add chain inet link back")
        _nft(link.router, "add rule inet link back counter drop")
        _nft(link.router, "add chain inet link forward { type filter hook forward priority 0; policy drop; }")
        _nft(link.router, "add rule inet link forward iifname there jump there")
        _nft(link.router, "add rule inet link forward iifname back jump back")
        link.lose(0)
        yield link
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _wire(end: str, router: str, name: str, address: str, router_address: str) -> None:
    """Connect a namespace with the router; both know the other's hardware address and never ask for it."""
    _run("ip", "link", "add", "gw0", "netns", end, "type", "veth", "peer", "name", name, "netns", router)
    for namespace, device, own in ((end, "gw0", address), (router, name, router_address)):
        # One packet a datagram, as on a wire: loss then strikes datagrams and not bursts.
        _run("ip", "-n", namespace, "link", "set", device, "mtu", "1500", "gso_max_segs", "1")
        _run("ip", "-n", namespace, "addr", "add", f"{own}/24", "dev", device)
        _run("ip", "-n", namespace, "link", "set", device, "up")
    _run("ip", "-n", end, "link", "set", "lo", "up")
    _run("ip", "-n", end, "route", "add", "default", "via", router_address)
    for namespace, device, other, peer in (
        (end, "gw0", router_address, (router, name)),
        (router, name, address, (end, "gw0")),
    ):
        hardware = json.loads(_run("ip", "-j", "-n", peer[0], "link", "show", peer[1]))[0]["address"]
        _run("ip", "-n", namespace, "neigh", "replace", other, "lladdr", hardware, "dev", device)


def _nft(namespace: str, rule: str) -> None:
    _run("ip", "netns", "exec", namespace, "nft", rule)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{' '.join(command)}: {done.stderr.strip()}"
        raise RuntimeError(msg)
    return done.stdout
