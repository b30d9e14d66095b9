# SPDX-License-Identifier: BSD-2-Clause
"""Systems with domains: who is in which, who asks whom, and what says so."""

import pytest

from test_output import check_system, config_values, summary_of, system_of

THREE = ("domains: [services: 500 us, a: 2 ms, services: 500 us, a: 1 ms, b: 4 ms]\n"
         "defaults: {memory: 64 MiB}\n"
         "vms:\n  one: {domain: a}\n  two: {domain: a}\n  three: {domain: b}\n  four: {domain: services}\n")


def domains_of(result):
    return {pd.get("name"): pd.get("domain") for pd in system_of(result).iter("protection_domain")}


def test_each_program_is_in_a_domain(generate):
    result = generate(THREE)
    assert result.errors == []
    check_system(system_of(result))
    assert domains_of(result) == {
        "timer": "services", "uart": "services", "console": "services", "switch_net0": "services",
        "vmm_one": "a", "vmm_two": "a", "vmm_three": "b", "vmm_four": "services", "turn_a_50": "a"}
    assert {pd["name"]: pd["domain"] for pd in summary_of(result)["pds"]} == domains_of(result)


def test_turns_are_in_their_order(generate):
    result = generate(THREE)
    domains = system_of(result).find("domains")
    assert [(d.get("name"), d.get("id")) for d in domains.findall("domain")] == [
        ("services", "0"), ("a", "1"), ("b", "2")]
    turns = [("services", 500), ("a", 2000), ("services", 500), ("a", 1000), ("b", 4000)]
    assert [(e.get("domain"), e.get("duration")) for e in domains.find("domain_schedule")] == [
        (name, f"{duration} us") for name, duration in turns]
    assert [(t["domain"], t["duration_us"]) for t in summary_of(result)["domains"]] == turns
    children = [child.tag for child in system_of(result)]
    assert children.index("domains") < children.index("protection_domain")


@pytest.mark.parametrize("path", ["isolated", "vhost"])
def test_nobody_calls_into_another_domain(generate, path):
    """But for a monitor that sets a queue of `vhost` up: its machine waits for the switch anyway."""
    result = generate(THREE.replace("64 MiB", f"64 MiB, path: {path}"))
    domains = domains_of(result)
    for channel in summary_of(result)["channels"]:
        if channel[0]["calls"] and not channel[1]["pd"].startswith("switch_"):
            assert domains[channel[0]["pd"]] == domains[channel[1]["pd"]]


def test_who_is_late_has_a_word(generate):
    """A monitor is told how long the schedule is, and how long others run at least before its next turn."""
    result = generate(THREE)
    maps = {pd.get("name"): {m.get("mr"): m.get("perms") for m in pd.findall("map")}
            for pd in system_of(result).iter("protection_domain")}
    for name, away, stay, equals in (("one", 500, 1000, "true"), ("two", 500, 1000, "true"),
                                     ("three", 4000, 4000, "false")):
        values = config_values(result, f"vmm_{name}")
        assert values["timer_late_us"] == "8000"
        assert (values["away_us"], values["stay_us"]) == (str(away), str(stay))
        assert values["has_equals"] == values["has_others"] == equals
        assert maps[f"vmm_{name}"][f"{name}_deadline"] == "rw"
        assert maps["timer"][f"{name}_deadline"] == "r"
    assert "four_deadline" not in maps["timer"]
    assert config_values(result, "vmm_four")["timer_word"] == "(void *)0x0"
    assert config_values(result, "turn_a_50")["has_timer"] == "false"


def test_not_with_an_official_sdk(generate):
    assert generate(THREE, "--sdk-cores", "1").errors == [
        "sys.yaml:1: domains: not with this SDK: Microkit's tool puts vCPUs into the first domain, "
        "whichever is their monitor's: take the bundled SDK"]
    assert generate(THREE, "--sdk-cores", "1", "--sdk-bundled").errors == []


def test_each_domain_has_turns_of_its_own(generate):
    """Equals of one priority in four domains are no priority too many."""
    names = ["services", "a", "b", "c"]
    result = generate(f"domains: [{', '.join(f'{name}: 1 ms' for name in names)}]\n"
                      "defaults: {memory: 64 MiB}\nvms:\n"
                      + "".join(f"  {name}: {{count: 2, domain: {name}}}\n" for name in names))
    assert result.errors == []
    assert [name for name in domains_of(result) if name.startswith("turn")] == [
        "turn_services_50", "turn_a_50", "turn_b_50", "turn_c_50"]


def test_turns_of_nobody(generate):
    result = generate("domains: [services: 1 ms, flight: 4 ms, fligth: 4 ms]\nvms: {a: {domain: flight}}\n")
    assert result.errors == ["sys.yaml:1: warning: domains: no machine is in 'fligth': its turns stay unused"]
    assert result.status == 0
