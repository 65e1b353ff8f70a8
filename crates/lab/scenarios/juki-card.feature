Feature: Juki card by impersonation (J12)
  Of 34 Japanese cases thirty were fraud with an identity: 23 got a Juki card by impersonation, seven
  altered or forged the face of one; a card forged with a sand eraser bought 133 telephones (S3
  table 3, §6.2). Many began with a false moving-in at another municipality.

  The invariant it forces: the face's data signed in the chip, the former address told, a card only
  after a delay. Residents' cards do not exist here yet. What exists: nobody is entered on the new
  municipality's word alone, and a code that was changed leads nowhere.

  Scenario: A false moving-in enters nobody
    Given "偽装 転入" is a resident of 国立市
    When the moving-in of "偽装 転入" from 国立市 is filed at 安曇野市
    Then the moving-in waits
    And "偽装 転入" is still current in 国立市

  Scenario: A code that was changed finds nobody
    Given "番号 変更" is a resident of 国立市
    When "番号 変更" has the record code changed
    Then the notice is taken
    And the tiers agree within 20 s
    When the clerk of 日本年金機構 asks about "番号 変更" by former record code for affair 1-74-1, case "番号-1"
    Then nobody is found
    When the clerk of 日本年金機構 asks about "番号 変更" by record code for affair 1-74-1, case "番号-2"
    Then the answer is exactly "番号 変更"

  @not-yet:residents-cards
  Scenario: The former address is told of a move before a card is issued
    Then there is a command "card issue"
