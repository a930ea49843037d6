"""The other implementation of mDNS, run by other_mdns.py in a host of its own, with the package `zeroconf`.

usage: zeroconf_peer.py ADDRESS CLUSTER

Tells of two services at ADDRESS: one of the cluster at port 4321, one of another cluster at port 4322. Each
service that it hears of is a line on standard output. The end of standard input is the end, with a goodbye.
"""
import json, socket, sys

from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

TYPE = "_cocli-gossip._udp.local."


class Ear:
    def add_service(self, zeroconf, kind, name):
        info = zeroconf.get_service_info(kind, name, timeout=5000)
        if info:
            text = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
            tell(heard=name, port=info.port, addresses=sorted(info.parsed_addresses()), text=text)

    update_service = add_service

    def remove_service(self, zeroconf, kind, name):
        tell(gone=name)


def tell(**what):
    print(json.dumps(what), flush=True)


address, cluster = sys.argv[1:]
zeroconf = Zeroconf(interfaces=[address])
for name, port, whose in (("other", 4321, cluster), ("stranger", 4322, "0" * 32)):
    zeroconf.register_service(ServiceInfo(
        TYPE, f"{name}.{TYPE}", addresses=[socket.inet_aton(address)], port=port, server=f"{name}.local.",
        properties={"node_id": name, "v": "1", "cluster": whose}))
ServiceBrowser(zeroconf, TYPE, Ear())
sys.stdin.read()
zeroconf.close()
