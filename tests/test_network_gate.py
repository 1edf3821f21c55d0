"""Who may open a connection now."""

from chrysalis_memory.network._gate import Gate


def gate(links_max=100, links_per_source_max=100, arrivals_per_s=1000.0):
    return Gate(links_max=links_max, links_per_source_max=links_per_source_max, arrivals_per_s=arrivals_per_s)


def test_connections_are_bounded_in_all_and_come_free_again():
    full = gate(links_max=2)
    assert [full.enter(f"192.0.2.{host}", 0.0) for host in range(3)] == [None, None, "too_many"]
    full.leave("192.0.2.0")
    assert full.enter("192.0.2.9", 0.0) is None
    assert (full.open, dict(full.refused)) == (2, {"too_many": 1})


def test_one_source_can_t_take_all():
    fair = gate(links_per_source_max=2)
    assert [fair.enter("192.0.2.1", 0.0) for _ in range(3)] == [None, None, "too_many_of_source"]
    assert fair.enter("192.0.2.2", 0.0) is None


def test_whoever_comes_too_fast_waits_and_others_do_not():
    slow = gate(arrivals_per_s=2)
    assert [slow.enter("192.0.2.1", 0.0) for _ in range(3)] == [None, None, "too_fast"]
    assert slow.enter("192.0.2.2", 0.0) is None
    assert slow.enter("192.0.2.1", 0.5) is None
    assert slow.enter("192.0.2.1", 0.5) == "too_fast"


def test_a_site_of_ipv6_is_one_source_and_a_mapped_address_is_the_one_that_it_maps():
    strict = gate(links_per_source_max=1)
    assert strict.enter("2001:db8::1", 0.0) is None
    assert strict.enter("2001:db8::ffff:2", 0.0) == "too_many_of_source"
    assert strict.enter("2001:db8:0:1::1", 0.0) is None
    assert strict.enter("192.0.2.1", 0.0) is None
    assert strict.enter("::ffff:192.0.2.1", 0.0) == "too_many_of_source"


def test_the_gate_remembers_no_more_sources_than_it_has_room_for():
    flooded = gate()
    for number in range(12_000):
        host = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
        flooded.enter(host, 0.0)
        flooded.leave(host)
    assert flooded.open == 0
    assert len(flooded._left) <= 10_000
