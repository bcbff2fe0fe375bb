"""A small SMSC for tests that encodes and decodes with PyPI `smpplib`, an implementation apart from the other peer's.

    python smpplib_peer.py [--system-id ID] [--password WORD]

Its first line on stdout is {"port":N}. It takes one JSON command a line on stdin and tells one JSON event a line;
{"event":"done"} says that a command is in force.

commands  {"cmd":"deliver","source","source_ton","dest","text","encoding":"gsm7|latin1|ucs2"}   long texts go in parts
          {"cmd":"deliver","as":"sar|payload|data_sm",…}  by sar_* TLVs, in message_payload, or by data_sm
          {"cmd":"receipt","message_id","state","style":"text|tlv","source"}    {"cmd":"cut"}
events    bound, bind_refused, submit, deliver_sm_resp, enquire_link, unbind, closed
"""

import argparse
import json
import socket
import struct
import sys
import threading

from smpplib import consts, gsm, smpp

ENCODINGS = {
    "gsm7": consts.SMPP_ENCODING_DEFAULT,
    "latin1": consts.SMPP_ENCODING_ISO88591,
    "ucs2": consts.SMPP_ENCODING_ISO10646,
}
BIND_FAILED = 0x0D
STATES = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5}
# Whoever hears what we deliver.
LISTENING = []
RECEIPT = 0x04  # esm_class of a delivery receipt, SMPP 3.4 §5.2.12


def tell(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Sequence:
    """What smpplib asks its client for."""

    def __init__(self):
        self.sequence = 0

    def next_sequence(self):
        self.sequence += 1
        return self.sequence


class Link:
    """One connection of an ESME."""

    def __init__(self, connection, arguments):
        self.connection = connection
        self.arguments = arguments
        self.client = Sequence()
        self.lock = threading.Lock()

    def run(self):
        while (octets := self.frame()) is not None:
            pdu = smpp.parse_pdu(octets, client=self.client, allow_unknown_opt_params=True)
            getattr(self, "on_" + pdu.command, lambda pdu: None)(pdu)
        tell(event="closed")

    def frame(self):
        head = self.exactly(4)
        rest = head and self.exactly(struct.unpack(">L", head)[0] - 4)
        return head + rest if rest else None

    def exactly(self, length):
        octets = b""
        while len(octets) < length:
            try:
                more = self.connection.recv(length - len(octets))
            except OSError:
                return None
            if not more:
                return None
            octets += more
        return octets

    def send(self, pdu):
        with self.lock:
            self.connection.sendall(pdu.generate())

    def answer(self, request, command, status=0, **fields):
        pdu = smpp.make_pdu(command, client=self.client, **fields)
        pdu.sequence, pdu.status = request.sequence, status
        self.send(pdu)

    def on_bind_transceiver(self, pdu):
        self.bind(pdu, "transceiver")

    def on_bind_transmitter(self, pdu):
        self.bind(pdu, "transmitter")

    def on_bind_receiver(self, pdu):
        self.bind(pdu, "receiver")

    def bind(self, pdu, mode):
        told = (pdu.system_id.decode(), pdu.password.decode())
        status = 0 if told == (self.arguments.system_id, self.arguments.password) else BIND_FAILED
        self.answer(pdu, "bind_%s_resp" % mode, status, system_id="smpplib")
        if mode != "transmitter":
            LISTENING[:] = [self]
        tell(event="bind_refused" if status else "bound", status=status, system_id=told[0], mode=mode)

    def on_data_sm(self, pdu):
        self.on_submit_sm(pdu)

    def on_submit_sm(self, pdu):
        message_id = "py%d" % self.client.next_sequence()
        header = b""
        octets = getattr(pdu, "short_message", None) or pdu.message_payload or b""
        if pdu.esm_class & consts.SMPP_GSMFEAT_UDHI:
            header, octets = octets[: octets[0] + 1], octets[octets[0] + 1 :]
        tell(
            event="submit",
            message_id=message_id,
            source=pdu.source_addr.decode(),
            source_ton=pdu.source_addr_ton,
            dest=pdu.destination_addr.decode(),
            dest_ton=pdu.dest_addr_ton,
            data_coding=pdu.data_coding,
            esm_class=pdu.esm_class,
            registered_delivery=pdu.registered_delivery,
            udh=header.hex(),
            text=decoded(octets, pdu.data_coding),
            command=pdu.command,
            sar=[pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
            payload=pdu.message_payload is not None,
        )
        self.answer(pdu, pdu.command + "_resp", message_id=message_id)

    def on_deliver_sm_resp(self, pdu):
        tell(event="deliver_sm_resp", status=pdu.status, sequence=pdu.sequence)

    def on_data_sm_resp(self, pdu):
        tell(event="data_sm_resp", status=pdu.status, sequence=pdu.sequence)

    def on_enquire_link(self, pdu):
        tell(event="enquire_link")
        self.answer(pdu, "enquire_link_resp")

    def on_unbind(self, pdu):
        tell(event="unbind")
        self.answer(pdu, "unbind_resp")

    def deliver(self, command):
        if "as" in command:
            return self.deliver_as(command)
        parts, encoding, esm_class = gsm.make_parts(command["text"], ENCODINGS[command["encoding"]])
        for part in parts:
            self.deliver_sm(command, short_message=part, esm_class=esm_class, data_coding=encoding)

    def deliver_as(self, command):
        encoding = ENCODINGS[command["encoding"]]
        octets = command["text"].encode("utf-16-be" if command["encoding"] == "ucs2" else "latin-1")
        if command["as"] == "sar":
            parts = [octets[at : at + 134] for at in range(0, len(octets), 134)]
            for number, part in enumerate(parts, 1):
                place = dict(sar_msg_ref_num=0x1234, sar_total_segments=len(parts), sar_segment_seqnum=number)
                self.deliver_sm(command, short_message=part, data_coding=encoding, **place)
        else:
            pdu = "data_sm" if command["as"] == "data_sm" else "deliver_sm"
            self.deliver_sm(command, pdu, message_payload=octets, data_coding=encoding)

    def receipt(self, command):
        if command.get("style") == "tlv":
            told = dict(receipted_message_id=command["message_id"], message_state=STATES[command["state"]])
            return self.deliver_sm(command, short_message=b"", esm_class=RECEIPT, data_coding=0, **told)
        text = "id:%s sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:%s err:000 text:"
        octets = (text % (command["message_id"], command["state"])).encode()
        self.deliver_sm(command, short_message=octets, esm_class=RECEIPT, data_coding=0)

    def deliver_sm(self, command, pdu="deliver_sm", **fields):
        self.send(
            smpp.make_pdu(
                pdu,
                client=self.client,
                source_addr_ton=command.get("source_ton", 1),
                source_addr_npi=1,
                source_addr=command.get("source", ""),
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=command.get("dest", ""),
                **fields,
            )
        )

    def cut(self, _command):
        self.connection.shutdown(socket.SHUT_RDWR)


def decoded(octets, data_coding):
    if data_coding == consts.SMPP_ENCODING_ISO10646:
        return octets.decode("utf-16-be")
    if data_coding == consts.SMPP_ENCODING_ISO88591:
        return octets.decode("latin-1")
    table = gsm.GSM_CHARACTER_TABLE
    text, escaped = "", 0
    for octet in octets:
        if octet == 0x1B:
            escaped = 0x80
        else:
            text, escaped = text + table[octet + escaped], 0
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--system-id", default="bauta")
    parser.add_argument("--password", default="secret")
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    current = {}

    def accept():
        while True:
            connection, _ = listener.accept()
            current["link"] = Link(connection, arguments)
            threading.Thread(target=current["link"].run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    tell(port=listener.getsockname()[1])
    for line in sys.stdin:
        command = json.loads(line)
        getattr(LISTENING[0] if LISTENING else current["link"], command["cmd"])(command)
        tell(event="done", cmd=command["cmd"])


main()
