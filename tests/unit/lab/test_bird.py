from felixbgp.lab import bird
from felixbgp.lab.plan import LabPlan

TABLE = """\
BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     16:50:27.836
stub4      Static     master4    up     16:50:27.836
nodes4     BGP        ---        start  16:50:27.836  Passive
node4_1    BGP        ---        up     16:50:29.001  Established
node4_2    BGP        ---        start  16:51:12      Active        Socket: Connection closed
node6_1    BGP        ---        up     2026-11-22    Established
node6_2    BGP        ---        up     2026-11-22 10:00:01  Established
"""


def test_the_table_of_protocols_is_read_with_every_form_of_time() -> None:
    found = {protocol.name: protocol for protocol in bird.parse_protocols(TABLE)}
    assert found["device1"] == bird.Protocol("device1", "Device", "up", "")
    assert found["nodes4"].info == "Passive"
    assert found["node4_1"].info == "Established"
    assert found["node4_2"].info.startswith("Active")
    assert found["node6_1"].info == found["node6_2"].info == "Established"
    assert len(found) == 7


def test_a_configuration_has_both_families_only_in_a_lab_with_both() -> None:
    both = bird.configuration(LabPlan().tors[0])
    assert "neighbor range 172.30.0.0/16 external" in both
    assert "neighbor range fd00:172:30::/64 external" in both
    assert "route 2001:db8:1::/64 blackhole" in both
    assert "ipv6" not in bird.configuration(LabPlan(ipv6=False).tors[0])
