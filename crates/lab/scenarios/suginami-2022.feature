Feature: Suginami 2022: an insider who is curious (J7)
  Suginami, Tokyo, 2022. By public reports an officer with every right to look up records looked up
  at least twenty people in a year for an acquaintance with ties to organized crime. It was found by
  a letter, not by an analysis of logs (pmarknews.info/52165112; dailyshincho.jp 2022-11-08).

  The invariant it forces: each look-up carries a case that can be checked, and whoever was looked up
  can see it. The system cannot know why a lawful operator asks. It can make sure that she does not
  ask unseen.

  Scenario: Whoever was looked up sees by whom, for what and under which case
    Given "松本 梓" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "松本 梓" by name and date of birth for affair 1-74-1, case "杉並-1"
    Then the answer is exactly "松本 梓"
    And "松本 梓" sees 1 provision to 日本年金機構 of case "杉並-1"
    And the file that "松本 梓" takes home verifies offline

  Scenario: Asking without a case is not possible
    Given "清水 洋" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "清水 洋" by name and date of birth for affair 1-74-1, case ""
    Then it is refused by rule case-number-missing
    And nothing is shown

  @not-yet:review
  Scenario: A supervisor is drawn a sample of inquiries to review
    Then there is a command "review"

  @not-yet:limits-on-persons
  Scenario: Two hundred people on one day are too many for one card
    Given "近所の人々" are 201 residents of 三鷹市
    When the clerk of 日本年金機構 asks about everybody of "近所の人々" one by one for affair 1-74-1, case "杉並-3"
    Then nothing is shown
