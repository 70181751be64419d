"""How far a view is with each prefix."""

from felixbgp.cluster.following import UNREAD, Following


def test_a_required_prefix_is_answered_by_its_snapshot_or_a_wider_one() -> None:
    following = Following(["/a/b/", "/a/c/"])
    assert not following.is_answered(())
    following.arrived("/a/b/")
    assert not following.is_answered(())
    following.arrived("/a/")
    assert following.is_answered(())


def test_an_optional_prefix_counts_once_it_is_wanted() -> None:
    following = Following([])
    assert not following.is_answered(["/secrets/"])
    following.follow(["/secrets/"])
    assert (following.is_followed("/secrets/"), following.obstacle("/secrets/")) == (True, UNREAD)
    assert not following.is_answered(["/secrets/"])
    assert following.arrived("/secrets/")
    assert not following.arrived("/secrets/")
    assert (following.is_answered(["/secrets/"]), following.obstacle("/secrets/")) == (True, "")


def test_a_refusal_is_an_answer_until_a_snapshot_comes() -> None:
    following = Following([])
    following.follow(["/secrets/"])
    assert following.refused("/secrets/", "permission denied")
    assert not following.refused("/secrets/", "permission denied")
    assert following.obstacle("/secrets/") == "cannot be read: permission denied"
    assert following.is_answered(["/secrets/"])
    assert following.arrived("/secrets/")
    assert following.obstacle("/secrets/") == ""


def test_a_refusal_of_what_is_not_followed_is_no_news() -> None:
    following = Following(["/nodes/"])
    assert not following.refused("/nodes/", "permission denied")
    assert not following.refused("/secrets/", "permission denied")
    assert not following.is_answered(())


def test_what_is_no_longer_wanted_starts_anew_when_it_is_wanted_again() -> None:
    following = Following([])
    assert following.follow(["/a/", "/b/"])[1] == []
    following.arrived("/a/")
    assert following.follow(["/b/"])[1] == ["/a/"]
    assert following.follow(["/a/", "/b/"])[1] == []
    assert following.obstacle("/a/") == UNREAD
