"""A real SIP proxy and real callers as ordinary processes, on loopback: Kamailio tells the phone webhook of calls, SIPp makes
and takes them."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
KAMAILIO = shutil.which("kamailio", path=PLACES)
SIPP = shutil.which("sipp", path=PLACES)
MODULES = next(iter(Path("/usr").glob("lib*/**/kamailio/modules/http_client.so")), None)
PATIENCE = 120
OURS = "48221234567"

with_a_proxy = pytest.mark.skipif(
    None in (KAMAILIO, SIPP, MODULES) and not os.environ.get("CI"),  # there they are installed
    reason="no SIP proxy here: apt-get install kamailio kamailio-utils-modules sip-tester has one, and callers",
)

NOBODY = "48600000404"
"""Whoever calls from this number reaches a telephone that nobody answers."""

CONFIGURATION = """\
debug=0
log_stderror=yes
fork=yes
children=4
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
mpath="{modules}/"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
loadmodule "http_client.so"
modparam("http_client", "connection_timeout", 5)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (is_method("BYE")) {{
      if (!t_newtran()) exit;  # sent again: it was told of
      http_client_query("{hook}", "{{\\"event\\":\\"hangup\\",\\"direction\\":\\"in\\",\\"call_id\\":\\"$ci\\",\\"cause\\":\\"normalClearing\\"}}", "Content-Type: application/json", "$var(said)");
    }}
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("BYE")) t_reply("200", "OK");
    exit;
  }}
  if (!is_method("INVITE")) {{ sl_send_reply("200", "OK"); exit; }}
  if (!t_newtran()) exit;
  t_reply("100", "Trying");
  record_route();
  http_client_query("{hook}", "{{\\"event\\":\\"newCall\\",\\"direction\\":\\"in\\",\\"from\\":\\"$fU\\",\\"to\\":\\"$rU\\",\\"call_id\\":\\"$ci\\"}}", "Content-Type: application/json", "$var(said)");
  if ($var(said) =~ "reject") {{ t_reply("486", "Busy Here"); exit; }}
  $du = "sip:127.0.0.1:{answers}";
  if ($fU == "{nobody}") {{ $du = "sip:127.0.0.1:{silent}"; t_set_fr("1000", "1000"); }}
  t_on_reply("TAKEN");
  t_on_failure("NOT_TAKEN");
  t_relay();
}}

onreply_route[TAKEN] {{
  if (is_method("INVITE") && status == "200") {{
    # With its own moment: an answer that is told again says something else.
    http_client_query("{hook}", "{{\\"event\\":\\"answer\\",\\"direction\\":\\"in\\",\\"from\\":\\"$fU\\",\\"call_id\\":\\"$ci\\",\\"user\\":\\"ben@shop.example\\",\\"at\\":\\"$TV(Sn)\\"}}", "Content-Type: application/json", "$var(said)");
  }}
}}

failure_route[NOT_TAKEN] {{
  http_client_query("{hook}", "{{\\"event\\":\\"hangup\\",\\"direction\\":\\"in\\",\\"call_id\\":\\"$ci\\",\\"cause\\":\\"$T_reply_code\\"}}", "Content-Type: application/json", "$var(said)");
}}
"""

CALLER = """\
<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="a caller">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="486" optional="true" next="1"/>
  <recv response="408" optional="true" next="1"/>
  <recv response="200" rrs="{follows_routes}"/>
  <send><![CDATA[
ACK {target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
{routes}From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <pause milliseconds="{talks}"/>
  <send retrans="500"><![CDATA[
BYE {target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
{routes}From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
  <label id="1"/>
</scenario>
"""


class Proxy:
    def __init__(self, root: Path, hook: str) -> None:
        self._root, self._hook = root, hook
        self._held = [_udp() for _ in range(3)]
        self._port, self._answers, self._silent = (one.getsockname()[1] for one in self._held)
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        assert KAMAILIO
        assert MODULES
        for one in self._held[:2]:
            one.close()  # the third is the telephone that nobody answers
        file = self._root / "kamailio.cfg"
        written = CONFIGURATION.format(
            port=self._port, modules=MODULES.parent, answers=self._answers, silent=self._silent, nobody=NOBODY, hook=self._hook
        )  # fmt: skip
        file.write_text(written)
        with (self._root / "kamailio.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(KAMAILIO, "-DD", "-E", "-f", str(file), "-Y", str(self._root), "-m", "64", "-M", "8"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(self._is_up):
                assert process.returncode is None, (self._root / "kamailio.log").read_text()
                await asyncio.sleep(0.05)
        await self._sipp("-sn", "uas", "-p", str(self._answers), "-mp", str(_free_port()))

    async def call(self, callers: Sequence[str], *, talks: int = 50, follows_routes: bool = True) -> int:
        """Fifty a second at most, eight at once. How SIPp ended: 0 if each call went as it should."""
        numbers, scenario = self._root / "callers.csv", self._root / "caller.xml"
        numbers.write_text("SEQUENTIAL\n" + "".join(f"{number}\n" for number in callers))
        ours = "sip:[service]@[remote_ip]:[remote_port]"
        written = CALLER.format(
            follows_routes=str(follows_routes).lower(),
            target="[next_url]" if follows_routes else ours,
            routes="[routes]\n" if follows_routes else "",
            talks=talks,
        )
        scenario.write_text(written)
        process = await self._sipp(
            *(
                "-sf",
                str(scenario),
                "-inf",
                str(numbers),
                "-s",
                OURS,
                "-m",
                str(len(callers)),
                "-r",
                "50",
                "-l",
                "8",
            ),
            *("-p", str(_free_port()), "-mp", str(_free_port()), "-timeout", f"{PATIENCE - 5}"),
            f"127.0.0.1:{self._port}",
        )
        async with asyncio.timeout(PATIENCE):
            return await process.wait()

    async def _sipp(self, *arguments: str) -> asyncio.subprocess.Process:
        assert SIPP
        process = await asyncio.create_subprocess_exec(
            *(SIPP, "-i", "127.0.0.1", "-nostdin", *arguments),
            cwd=self._root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    async def stop(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        for one in self._held:
            one.close()

    def _is_up(self) -> bool:
        """It answers OPTIONS, as to anybody."""
        with _udp() as line:
            port = line.getsockname()[1]
            line.settimeout(0.3)
            asked = (
                f"OPTIONS sip:127.0.0.1:{self._port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKup\r\n"
                f"From: <sip:test@127.0.0.1>;tag=1\r\nTo: <sip:test@127.0.0.1>\r\nCall-ID: up\r\nCSeq: 1 OPTIONS\r\n"
                "Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
            )
            with suppress(OSError):
                line.sendto(asked.encode(), ("127.0.0.1", self._port))
                return line.recv(4096).startswith(b"SIP/2.0 200")
        return False


def _udp() -> socket.socket:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.bind(("127.0.0.1", 0))
    return line


def _free_port() -> int:
    with _udp() as line:
        return int(line.getsockname()[1])


@asynccontextmanager
async def proxy(hook: str) -> AsyncIterator[Proxy]:
    folder = Path(tempfile.mkdtemp(prefix="heddle-kamailio-"))
    server = Proxy(folder, hook)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)
