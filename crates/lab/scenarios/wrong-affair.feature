Feature: A wrong affair
  The appended tables of the Act (別表第一 to 第五) say who may receive identity confirmation
  information for which affair, and from whom. Everything else is refused with the rule, the law
  and what would be allowed. A refusal shows nothing, is recorded, and is not in the resident's
  view: nobody was told anything about her.

  Scenario: An affair that is in no table
    Given "山本 幸子" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "山本 幸子" by record code for affair 1-999-1, case "誤-1"
    Then it is refused by rule affair-unknown
    And nothing is shown
    And the ledger of センター holds 1 refusal of case "誤-1"
    And "山本 幸子" sees nothing of case "誤-1"

  Scenario: An affair of another agency
    Given "中村 薫" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "中村 薫" by record code for affair 1-17-1, case "誤-2"
    Then it is refused by rule affair-not-of-recipient
    And nothing is shown

  Scenario: No case number
    Given "小林 茂" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "小林 茂" by record code for affair 1-74-1, case ""
    Then it is refused by rule case-number-missing
    And nothing is shown

  Scenario: A name alone is no query
    Given "加藤 進" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "加藤 進" by name alone for affair 1-74-1, case "誤-3"
    Then it is refused by rule query-shape
    And nothing is shown

  Scenario: A prefix that names no more than a municipality
    Given "吉田 清" is a resident of 三鷹市
    When the clerk of 日本年金機構 asks about "吉田 清" by name and municipality for affair 1-74-1, case "誤-4"
    Then it is refused by rule prefix-too-short
    And nothing is shown
