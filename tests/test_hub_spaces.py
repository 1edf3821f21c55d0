"""Several spaces: a hub for each, in processes of their own, and agents that take part in more than one."""

import pytest

from chrysalis_memory import ChrysalisMemory, NotAllowed
from hub_process import WITHIN_S, hub_process
from memory_cases import eventually


def agent(path, token):
    return ChrysalisMemory(path, agent_id="ada", invite=token, sync=True, embedder="none")


def arrives(memory, id):
    assert eventually(lambda: memory.get(id) is not None, WITHIN_S), f"{id} did not arrive"


def test_one_agent_takes_part_in_two_spaces_and_the_end_of_one_hub_is_none_of_the_others(tmp_path):
    with (
        hub_process(tmp_path / "kiln", "--space", "kiln") as kiln,
        hub_process(tmp_path / "shop") as shop,
        agent(tmp_path / "ada-kiln", kiln.invite()) as of_kiln,
        agent(tmp_path / "ada-shop", shop.invite()) as of_shop,
        agent(tmp_path / "bob-shop", shop.invite()) as bob,
        kiln.client() as in_kiln,
        shop.client() as in_shop,
    ):
        fired = of_kiln.remember("The kiln reaches 1240 degrees")
        sold = of_shop.remember("Forty bowls were sold")
        arrives(bob, sold.id)
        assert eventually(lambda: in_kiln.get(f"/v1/memories/{fired.id}").status_code == 200, WITHIN_S)
        assert in_shop.get(f"/v1/memories/{fired.id}").status_code == 404
        assert in_kiln.get(f"/v1/memories/{sold.id}").status_code == 404
        kiln.kill()
        arrives(bob, of_shop.remember("Forty more were sold").id)
        assert in_shop.get("/health").json()["status"] == "well"


def test_a_member_of_one_space_learns_nothing_of_another(tmp_path):
    with hub_process(tmp_path / "kiln", "--space", "kiln") as kiln, hub_process(tmp_path / "shop") as shop:
        with shop.client() as client:
            client.post("/v1/memories", json={"content": "for members of the shop"})
        with ChrysalisMemory(tmp_path / "ada", invite=kiln.invite(), embedder="none") as ada:
            ada.sync_once(kiln.links)
            with pytest.raises(NotAllowed) as refused:
                ada.sync_once(shop.links)
            assert "team" not in str(refused.value)
            assert ada.list() == []
        with kiln.client() as of_kiln:
            token = of_kiln.headers["authorization"]
            with shop.client() as client:
                answer = client.get("/v1/memories", headers={"authorization": token})
            assert answer.status_code == 401
