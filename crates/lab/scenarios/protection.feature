Feature: Mitaka 2020, Okayama 2024, Oamishirasato 2022, Zushi 2012: a victim's address (J9)
  More than forty leaks in ten years. Mitaka, 2020: staff ignored the warning on the screen. Okayama,
  2024: a restriction was lifted "temporarily" and the wrong paper printed. Oamishirasato, 2022 to
  2023: the restriction was never set at the other municipality. Zushi, 2012: a murder
  (asahi.com AS20191006002103; Mainichi; newsdig.tbs 1613063; shimotsuke 1180557; dot.asahi 99463).

  The invariant it forces: a hard stop and not a warning; a release for one paper, one requester and
  minutes, by two persons; a mark that travels with the person. None of it exists yet. What exists:
  whoever asked stands in the victim's own list, and no look-up is shorter than the law allows.

  Scenario: Whoever asked stands in her own list
    Given "保護 対象" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "保護 対象" by name and date of birth for affair 1-74-1, case "三鷹-1"
    Then "保護 対象" sees 1 provision to 日本年金機構 of case "三鷹-1"

  Scenario: A name and a city find nobody's address
    Given "保護 住所" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "保護 住所" by name and municipality for affair 1-74-1, case "三鷹-2"
    Then it is refused by rule prefix-too-short
    And nothing is shown

  @not-yet:support-measures
  Scenario: Mitaka 2020: a protected address is a hard stop
    Then there is a command "protect"

  @not-yet:support-measures
  Scenario: Okayama 2024: two persons release one paper for minutes
    Then there is a command "protect release"

  @not-yet:support-measures
  Scenario: Oamishirasato 2022: the mark travels with the person
    Then there is a command "protect status"
