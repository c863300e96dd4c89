"""A proof as JUnit's XML, which every build server reads: a suite a group, a case an assertion."""

import re
import xml.etree.ElementTree as ET

from goldsmith.model.proof import Assertion, Group, Proof, Standing

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""


def render(proof: Proof) -> bytes:
    """The file's bytes."""
    root = ET.Element("testsuites", name=proof.ref, time=f"{proof.seconds:.1f}")
    for group in Group:
        cases = [item for item in proof.assertions if item.group is group]
        attributes = {
            "name": group.value,
            "timestamp": proof.when,
            "tests": str(len(cases)),
            "failures": str(sum(item.standing is Standing.FAILED for item in cases)),
            "skipped": str(sum(item.standing is Standing.SKIPPED for item in cases)),
            "errors": "0",
        }
        suite = ET.SubElement(root, "testsuite", attributes)
        for item in cases:
            _case(suite, proof.ref, item)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(suite: ET.Element, ref: str, item: Assertion) -> None:
    case = ET.SubElement(suite, "testcase", classname=f"{ref}.{item.group.value}", name=clean(item.name))
    if item.standing is Standing.FAILED:
        wrong = ET.SubElement(case, "failure", message=clean(item.reason))
        wrong.text = clean("\n".join(item.lines))
    elif item.standing is Standing.SKIPPED:
        ET.SubElement(case, "skipped", message=clean(item.reason))
    elif item.lines:
        ET.SubElement(case, "system-out").text = clean("\n".join(item.lines))


def clean(text: str) -> str:
    """The text without what XML cannot hold."""
    return FORBIDDEN.sub("�", text)
