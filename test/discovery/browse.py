"""Browses for boards as PyMoDAQ's plug-ins do, with zeroconf; a JSON line for each event, with what it resolves to."""

import json
import sys
import time

from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

SERVICE = "_pymodaq._tcp.local."


def tell(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
    event = {"event": state_change.name.lower(), "name": name.removesuffix("." + service_type)}
    if state_change is not ServiceStateChange.Removed:
        info = zeroconf.get_service_info(service_type, name, timeout=3000)
        if info is not None:
            event["server"] = info.server
            event["port"] = info.port
            event["addresses"] = sorted(info.parsed_addresses())
            event["txt"] = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
    print(json.dumps(event), flush=True)


zeroconf = Zeroconf()
browser = ServiceBrowser(zeroconf, SERVICE, handlers=[tell])
print(json.dumps({"event": "browsing"}), flush=True)
try:
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
except KeyboardInterrupt:
    pass
