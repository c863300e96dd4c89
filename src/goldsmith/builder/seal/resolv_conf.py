"""resolv.conf: name servers of the place where the image was built; a link to a running resolver's file stays."""

import stat

from goldsmith.builder.match import Sight
from goldsmith.builder.seal.operation import Operation


def _is_file(tree: Sight, path: str) -> bool:
    return stat.S_ISREG(tree.lstat(path).st_mode)


RESOLV_CONF = Operation(
    "resolv-conf",
    "Name servers of the place where the image was built.",
    ("/etc/resolv.conf", "/etc/resolvconf/run/**", "/etc/resolv.conf.*"),
    is_trace=_is_file,
)
