# SPDX-License-Identifier: BSD-2-Clause
"""Which libraries programs need, and where these are, in trees as distributions have them."""

import pytest

import libraries

CANCELS = "void pthread_cancel(void);\nvoid stop(void) { pthread_cancel(); }"


def names(tree, *paths):
    found, lacking = libraries.closure(tree.root, paths)
    assert not lacking
    return list(found)


def test_through_others_and_by_the_names_that_are_asked_for(tree):
    root = tree()
    libc = root.c_library()
    z = root.library("libz.so.1", [libc], version=".3.1")
    program = root.program("client", [root.library("libssl.so.3", [z, libc]), libc])
    found, lacking = libraries.closure(root.root, [program])
    assert list(found) == ["ld-linux-aarch64.so.1", "libc.so.6", "libssl.so.3", "libz.so.1"]
    assert found["libz.so.1"] == z and not lacking


def test_what_is_lacking_and_who_needs_it(tree):
    root = tree()
    other = tree("other")
    libc = root.c_library()
    ssl = root.library("libssl.so.3", [other.library("libz.so.1"), libc])
    program = root.program("client", [ssl, libc])
    assert libraries.closure(root.root, [program])[1] == [(ssl, "libz.so.1")]


def test_what_is_loaded_only_later(tree):
    """Who cancels threads has the C library load the unwinder: nobody names it."""
    root = tree()
    libc = root.c_library()
    server = root.program("server", [root.library("libserver.so.0", [libc], CANCELS), libc])
    plain = root.program("plain", [libc])
    assert libraries.closure(root.root, [server])[1] == [(libc, "libgcc_s.so.1")]
    root.library("libgcc_s.so.1", [libc])
    assert "libgcc_s.so.1" in names(root, server)
    assert "libgcc_s.so.1" not in names(root, plain)


@pytest.mark.parametrize("link", ["usr/lib", "/usr/lib", "./usr/../usr/lib"])
def test_merged_directories(tree, link):
    """Of /lib and /usr/lib one is a link: however it is written, it stays in the tree."""
    root = tree()
    libc = root.c_library()
    root.link("lib", link)
    assert libraries.find(root.root, "libc.so.6") == libc
    assert libraries.resolve(root.root, "lib/aarch64-linux-gnu/libc.so.6") == libc


def test_a_link_out_of_the_tree_stays_in_it(tree, tmp_path):
    root = tree()
    (tmp_path / "libz.so.1").write_bytes(b"the host's own")
    root.link("usr/lib/libz.so.1", tmp_path / "libz.so.1")
    root.link("usr/lib/liby.so.1", "../../../../../../libz.so.1")
    assert libraries.find(root.root, "libz.so.1") is None
    assert libraries.find(root.root, "liby.so.1") is None


def test_links_in_circles(tree):
    root = tree()
    root.link("usr/bin/a", "b")
    root.link("usr/bin/b", "a")
    with pytest.raises(OSError, match="circles"):
        libraries.find(root.root, "a")


def test_all_programs(tree, capsys, monkeypatch):
    """As fetch.sh asks: scripts, and programs without libraries, need none."""
    root = tree()
    root.library("libz.so.1", directory="elsewhere")
    libc = root.c_library()
    root.program("mke2fs", [root.root / "elsewhere/libz.so.1", libc], directory="sbin")
    root.program("static")
    root.file("usr/bin/script", b"#!/bin/sh\n")
    root.link("usr/bin/alternative", "/etc/alternatives/nothing")
    monkeypatch.setattr("sys.argv", ["libraries.py", str(root.root)])
    libraries.main()
    assert capsys.readouterr().out == "sbin/mke2fs libz.so.1\n"
