package sepa

// insufficientFunds is the reason of transfers that the balance does not cover.
const insufficientFunds = "AM04"

// noReason is what ISO 20022 has for a reason that is not given.
const noReason = "MS03"

// reasons are words for the codes of ISO 20022's external lists of status and return reasons that SEPA credit
// transfers use.
var reasons = map[string]string{
	"AC01": "The account number is not correct.",
	"AC02": "The payer's account number is not correct.",
	"AC03": "The beneficiary's account number is not valid.",
	"AC04": "The account is closed.",
	"AC06": "The account is blocked.",
	"AC13": "The account is of a kind that cannot be credited.",
	"AC14": "The account is of a kind that cannot be credited.",
	"AG01": "Credit transfers are forbidden on this account.",
	"AG02": "The bank does not take this kind of payment.",
	"AM02": "The amount is larger than the bank allows.",
	"AM03": "The bank does not take payments in this currency.",
	"AM04": "The balance is not sufficient.",
	"AM05": "The payment was sent twice.",
	"AM09": "The amount is not the one that was agreed.",
	"BE01": "The beneficiary's name does not belong to the account.",
	"BE04": "The beneficiary's address is missing or not correct.",
	"BE05": "The party that sent the payment is not known.",
	"CNOR": "The beneficiary's bank is not reached by this scheme.",
	"CURR": "The currency is not correct.",
	"CUST": "The payer or the beneficiary asked for it.",
	"DNOR": "The payer's bank is not reached by this scheme.",
	"DT01": "The date is not valid.",
	"DUPL": "The payment was made twice.",
	"ED05": "The banks could not settle the payment.",
	"ERIN": "Extended remittance information is not taken.",
	"FF01": "The bank could not read the payment.",
	"FOCR": "The money came back after it was asked for.",
	"FR01": "Fraud is suspected.",
	"MD01": "There is no mandate.",
	"MD06": "The beneficiary refused the payment.",
	"MD07": "The beneficiary has died.",
	"MS02": "The beneficiary refused the payment without a reason.",
	"MS03": "The bank gives no reason.",
	"NARR": "The bank gives its reason in words only.",
	"NOAS": "The beneficiary did not answer.",
	"RC01": "The bank's code is not correct.",
	"RC07": "The code of the beneficiary's bank is not correct.",
	"RR01": "The payer's account is missing.",
	"RR02": "The payer's name or address is missing.",
	"RR03": "The beneficiary's name or address is missing.",
	"RR04": "A rule of the bank's supervisor forbids it.",
	"SL01": "The bank does not offer this to the beneficiary.",
	"TECH": "A technical problem stopped the payment.",
	"TM01": "The payment came too late for the day.",
}

// Reason puts a code into words.
func Reason(code string) string {
	if words, ok := reasons[code]; ok {
		return words
	}
	return "The bank refused the payment."
}
