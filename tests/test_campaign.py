"""What a campaign says, what it must not say, and what it brings up."""

from importlib.resources import files

import pytest
from overview_pages import CURE, SERIOUS

from mdclaims.cases.campaign import KEYS, Campaign, read_campaign, shipped_campaigns
from mdclaims.cases.casefile import open_case
from mdclaims.cases.distinct import distinct_claims, group_claims
from mdclaims.errors import UsageError


def weights(case, campaign):
    """Return the weight of each quote under a campaign, and how many claims it hides."""
    with open_case(case) as opened:
        grouping = group_claims(opened, campaign)
        return {claim.quote: claim.weight for claim in distinct_claims(opened)}, grouping


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_is_read_with_its_weights(tmp_path):
    campaign = read_campaign(
        written(tmp_path, 'about = "Knees."\nlabels = ["efficacy_claim"]\n[treatments]\n"shockwave(|s)" = 2\n')
    )
    assert campaign == Campaign("mine", "Knees.", {"shockwave(|s)": 2.0}, labels={"efficacy_claim": 1.0})


@pytest.mark.parametrize("name", shipped_campaigns())
def test_the_shipped_campaigns_are_read_by_name_and_weigh_more_than_one_thing(name):
    campaign = read_campaign(name)
    assert campaign.about.endswith(".")
    assert campaign.treatments or campaign.rules


def test_three_campaigns_ship():
    assert shipped_campaigns() == ("glp1-uk", "stem-cells-us", "testimonials-au")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('treatment = ["laser"]', "unknown key 'treatment'"),
        ("[labels]\nefficacy = 1", "labels.'efficacy' is not a label"),
        ('stances = ["boasts"]', "stances.'boasts' is not a stance"),
        ('rules = ["UK-CAP-99"]', "rules.'UK-CAP-99' is not a rule"),
        ("[treatments]\nlaser = 0", "treatments.'laser' must weigh a number above 0"),
        ("[treatments]\nlaser = true", "treatments.'laser' must weigh"),
        ("[treatments]\nlaser = nan", "treatments.'laser' must weigh"),
        ("[treatments]\nlaser = 1e9", "treatments.'laser' must weigh"),
        ('treatments = "laser"', "treatments must be a list"),
        ("treatments = []", "treatments is empty"),
        ('conditions = ["(a|)"]', "stands for a phrase that does not begin"),
        ('conditions = [" "]', "must begin with a letter"),
        ('conditions = ["' + "(a|b)" * 7 + '"]', "stands for more than 64 phrases"),
        ('conditions = ["' + "a" * 201 + '"]', "has more than 200 characters"),
        ("about = 7", "about must be a text"),
        ('about = "x"', "names nothing of interest"),
        ("[treatments", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path, text, said):
    with pytest.raises(UsageError) as raised:
        read_campaign(written(tmp_path, text))
    assert said in str(raised.value)
    assert "mine.toml" in str(raised.value)


def test_a_name_that_does_not_ship_is_answered_with_those_that_do():
    with pytest.raises(UsageError, match="glp1-uk, stem-cells-us, testimonials-au"):
        read_campaign("glp1")
    with pytest.raises(UsageError, match="cannot be read"):
        read_campaign("missing.toml")


def test_treatments_decide_and_conditions_raise(ranked_case):
    found, grouping = weights(
        ranked_case,
        Campaign("c", treatments={"shock-wave|x": 9.0, "shockwave": 2.0}, conditions={"multiple-sclerosis": 3.0}),
    )
    assert found[CURE] == 2
    assert found[SERIOUS] == 6
    assert all("shockwave" in quote.lower() or "knee" in quote.lower() for quote in found)
    _, everything = weights(ranked_case, None)
    assert grouping.claims + grouping.hidden == everything.claims
    assert grouping.hidden > 0 == everything.hidden


def test_conditions_decide_where_no_treatments_are_named(ranked_case):
    found, _ = weights(ranked_case, Campaign("c", conditions={"arthritis": 1.0}, rules={"UK-CAP-12.2": 5.0}))
    assert found == {SERIOUS: 5.0}


def test_rules_labels_and_stances_decide_by_themselves(ranked_case):
    found, _ = weights(ranked_case, Campaign("c", rules={"UK-CAP-12.9": 1.5}))
    assert found
    assert set(found.values()) == {1.5}
    found, _ = weights(ranked_case, Campaign("c", labels={"safety_claim": 2.0}, stances={"reassures": 2.0}))
    assert set(found.values()) == {4.0}


def test_terms_are_whole_words_in_any_case_and_never_a_pattern(ranked_case):
    for term in ("cur", "shockwav", "knee.pain", "k.*n"):
        assert weights(ranked_case, Campaign("c", treatments={term: 1.0}))[0] == {}
    assert CURE in weights(ranked_case, Campaign("c", treatments={"KNEE-PAIN": 1.0}))[0]


def test_the_keys_are_documented():
    text = (files("mdclaims").parent / "docs" / "overview.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in text for key in KEYS)
