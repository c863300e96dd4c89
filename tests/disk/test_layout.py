import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.disk.layout import ext4_size, plan_layout
from goldsmith.errors import InputError, Place
from goldsmith.model.disk import MIB, Role, TreeNeed
from goldsmith.model.recipe import DiskSpec

NEED = TreeNeed(inodes=1000, blocks=10_000, boot=30 * MIB)
ROOT_X86_64 = UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")


@pytest.mark.parametrize(
    ("spec", "roles"),
    [
        pytest.param(DiskSpec(), "bios esp root", id="boots both ways unless told otherwise"),
        pytest.param(DiskSpec(boot="uefi"), "esp root", id="uefi alone has no BIOS boot partition"),
        pytest.param(DiskSpec(boot="bios"), "bios root", id="bios alone has no ESP"),
        pytest.param(
            DiskSpec(boot="bios", root="erofs"), "bios esp root", id="an erofs root keeps its kernel on FAT"
        ),
        pytest.param(DiskSpec(boot="uefi", root="erofs"), "esp root", id="erofs by uefi"),
    ],
)
def test_partitions_are_what_the_boot_needs_and_the_root_is_last(spec: DiskSpec, roles: str) -> None:
    layout = plan_layout(spec, name="web", architecture="amd64", need=NEED)
    assert [str(partition.role) for partition in layout.partitions] == roles.split()
    assert [partition.number for partition in layout.partitions] == list(range(1, len(roles.split()) + 1))
    assert layout.root.kind == ROOT_X86_64


SPECS = st.builds(
    DiskSpec,
    size=st.one_of(st.none(), st.integers(1 << 30, 1 << 42)),
    headroom=st.integers(0, 1 << 36),
    root=st.sampled_from(["ext4", "erofs"]),
    boot=st.sampled_from(["uefi", "bios", "both"]),
)
NEEDS = st.builds(TreeNeed, inodes=st.integers(1, 20_000), blocks=st.integers(0, 150_000))


@given(spec=SPECS, need=NEEDS)
def test_partitions_are_aligned_disjoint_and_leave_room_for_both_tables(
    spec: DiskSpec, need: TreeNeed
) -> None:
    layout = plan_layout(spec, name="web", architecture="amd64", need=need)
    edge = MIB
    for partition in layout.partitions:
        assert partition.start == edge
        assert partition.size > 0
        assert partition.size % MIB == 0
        edge = partition.end
    assert edge == layout.size - MIB
    if spec.size is not None:
        assert spec.size <= layout.size < spec.size + MIB
    assert layout.inodes > need.inodes


def test_identities_depend_on_name_and_architecture_but_not_on_size_or_content() -> None:
    first = plan_layout(DiskSpec(), name="web", architecture="amd64", need=NEED)
    grown = plan_layout(DiskSpec(size=20 << 30), name="web", architecture="amd64", need=TreeNeed(5, 5))
    other = plan_layout(DiskSpec(), name="db", architecture="amd64", need=NEED)

    def identities(layout: object) -> set[object]:
        assert isinstance(layout, type(first))
        guids = {partition.guid for partition in layout.partitions}
        return {layout.guid, layout.root_uuid, layout.hash_seed, layout.esp_serial, *guids}

    assert identities(first) == identities(grown)
    assert not identities(first) & identities(other)
    assert len(identities(first)) == 7


def test_identities_never_change_between_releases_of_goldsmith() -> None:
    layout = plan_layout(DiskSpec(), name="web", architecture="amd64", need=NEED)
    assert str(layout.root_uuid) == "8a462b97-2eb2-59ef-933f-a1838d09dd26"
    assert layout.esp_uuid == "6BC3-59D7"


def test_a_disk_that_is_too_small_says_how_much_is_needed_and_that_much_is_enough() -> None:
    where = Place("web.yaml", 7, 3)
    with pytest.raises(InputError) as caught:
        plan_layout(DiskSpec(size=100 * MIB, where=where), name="web", architecture="amd64", need=NEED)
    assert caught.value.where == where
    found = re.fullmatch(
        r"the disk is 100 MiB, but its content needs at least (\d+) MiB", caught.value.message
    )
    assert found
    assert caught.value.hint == (
        f"set `size: {found[1]} MiB` or more, or leave `size` out for a minimal disk"
    )
    enough = DiskSpec(size=int(found[1]) * MIB)
    assert plan_layout(enough, name="web", architecture="amd64", need=NEED).size == enough.size
    with pytest.raises(InputError):
        plan_layout(DiskSpec(size=(int(found[1]) - 1) * MIB), name="web", architecture="amd64", need=NEED)


def test_kernels_that_fit_no_fat16_partition_are_refused() -> None:
    with pytest.raises(InputError, match="300 MiB of them do not fit"):
        plan_layout(
            DiskSpec(root="erofs"),
            name="web",
            architecture="amd64",
            need=TreeNeed(10, 100_000, boot=300 * MIB),
        )


def test_the_esp_of_an_erofs_disk_grows_with_its_kernels() -> None:
    layout = plan_layout(
        DiskSpec(root="erofs"), name="web", architecture="amd64", need=TreeNeed(10, 50_000, boot=90 * MIB)
    )
    esp = layout.find(Role.ESP)
    assert esp is not None
    assert esp.size == 98 * MIB


@given(blocks=st.integers(0, 1 << 20), inodes=st.integers(1, 1 << 20), more=st.integers(0, 1 << 30))
def test_more_headroom_never_makes_a_smaller_disk(blocks: int, inodes: int, more: int) -> None:
    need = TreeNeed(inodes, blocks)
    assert ext4_size(need, more) >= ext4_size(need, 0)
    assert ext4_size(need, more) >= more + blocks * 4096
