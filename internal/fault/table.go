package fault

import "net/http"

// table is ordered by code, in parts: a reader looks for a code, and a new one has its place.
var table = concat(requestRows, objectRows, paymentRows, cardRows, identityRows, systemRows)

func concat(parts ...[]Row) []Row {
	var all []Row
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// Requests that are refused before anything is looked at.
var requestRows = []Row{
	{
		Code: PoaPending, Name: "poa-pending", Status: http.StatusAccepted,
		Message: "A proof of address is already under review.",
		When:    "Files are uploaded while the user's earlier proof of address is still under review.",
		Fix:     "Do not upload again. Wait for the POA Verification Status webhook; upload new files only when it says REJECTED or QUESTIONED.",
	},
	{
		Code: AccessDenied, Name: "access-denied", Status: http.StatusUnauthorized,
		Message: "Access Denied. xo1",
		When:    "The request carries no API key (xo1), an unknown or revoked one (xo2), or comes from an address that is not on the partner's allowlist (xo3).",
		Fix:     "xo1: send the key in the header `x-api-key`. xo2: check that the key is complete, was not revoked and belongs to this environment, staging or production. xo3: have the address your server calls from added to the allowlist.",
	},
	{
		Code: Validation, Status: http.StatusBadRequest,
		Message: "The request is not valid.",
		When:    "The request does not have the form that the endpoint describes. The message lists everything that is wrong, one sentence each.",
		Fix:     "Correct every member that the message names and send the request again; the same Idempotency-Key may be used.",
	},
	{
		Code: NotFound, Name: "not-found", Status: http.StatusNotFound,
		Message: "There is no such endpoint.",
		When:    "The path belongs to no endpoint.",
		Fix:     "Compare the path with the API reference: it begins with `/v1`, and letters outside ASCII in an id must be percent-encoded.",
	},
	{
		Code: MethodNotAllowed, Name: "method-not-allowed", Status: http.StatusMethodNotAllowed,
		Message: "The endpoint does not take this method.",
		When:    "The path exists, but not with this HTTP method.",
		Fix:     "Use one of the methods that the answer's `Allow` header lists.",
	},
	{
		Code: BodyTooLarge, Name: "body-too-large", Status: http.StatusRequestEntityTooLarge,
		Message: "The request body is too large.",
		When:    "A JSON body is over 1 MiB, or an upload request over 20 MiB.",
		Fix:     "Send less in one request: files can be uploaded in several calls where the endpoint allows it.",
	},
	{
		Code: UnsupportedMediaType, Name: "unsupported-media-type", Status: http.StatusUnsupportedMediaType,
		Message: "The content type of the request is not supported.",
		When:    "The `Content-Type` is not the one that the endpoint takes.",
		Fix:     "Send `Content-Type: application/json`, or `multipart/form-data` to the endpoints that take files.",
	},
	{
		Code: IdempotencyConflict, Name: "idempotency-conflict", Status: http.StatusConflict,
		Message: "The idempotency key was already used for another request.",
		When:    "The Idempotency-Key belongs to a request with another method, path or body, or to one that moved money more than 24 hours ago. `objectId` names the object which that request made, when there is one.",
		Fix:     "If you meant to repeat the earlier request, read the object named by `objectId` instead. If this is a new operation, send it with a new key.",
	},
	{
		Code: InvalidCurrency, Name: "invalid-currency", Status: http.StatusBadRequest,
		Message: "The currency or network is not allowed here.",
		When:    "The currency exists but this endpoint does not take it (eur in a crypto withdrawal, a network that the coin lacks), or a currency in the query is unknown.",
		Fix:     "Choose a currency and a network from Supported Currencies that suit the operation.",
	},
}

// Users, partners and the objects that requests name.
var objectRows = []Row{
	{
		Code: UserExists, Name: "user-exists", Status: http.StatusBadRequest,
		Message: "A user with this externalUserId already exists.",
		When:    "You have used the externalUserId for another user, perhaps one that was deleted.",
		Fix:     "Use the existing user, or choose an externalUserId that you have never used.",
	},
	{
		Code: InvalidUser, Name: "invalid-user", Status: http.StatusBadRequest,
		Message: "User does not exist",
		When:    "None of your users has this externalUserId, or the user was deleted.",
		Fix:     "Check the externalUserId, and that the API key belongs to the environment in which the user was created. Create the user first if it is new.",
	},
	{
		Code: InvalidLock, Name: "invalid-lock", Status: http.StatusBadRequest,
		Message: "The rate lock is unknown, expired or already used.",
		When:    "The lockId is unknown, has expired, was used before, or belongs to somebody else.",
		Fix:     "Take a new lock and use it once, before its end, for the same owner that took it.",
	},
	{
		Code: ExchangeNotFound, Name: "exchange-not-found", Status: http.StatusNotFound,
		Message: "The exchange does not exist.",
		When:    "You have no exchange with this id.",
		Fix:     "Use the exchangeId from the answer that created the exchange, in the same environment.",
	},
	{
		Code: CryptoWithdrawalNotFound, Name: "crypto-withdrawal-not-found", Status: http.StatusNotFound,
		Message: "The crypto withdrawal does not exist.",
		When:    "You have no crypto withdrawal with this id.",
		Fix:     "Use the withdrawalId from the answer that created the withdrawal, in the same environment.",
	},
	{
		Code: CryptoDepositNotFound, Name: "crypto-deposit-not-found", Status: http.StatusNotFound,
		Message: "The crypto deposit does not exist.",
		When:    "You have no crypto deposit with this id.",
		Fix:     "Use the id from the Crypto Deposit webhook or from the transaction history, in the same environment.",
	},
	{
		Code: TransferNotFound, Name: "transfer-not-found", Status: http.StatusNotFound,
		Message: "The transfer does not exist.",
		When:    "You have no internal transfer with this id.",
		Fix:     "Use the transferId from the answer that created the transfer, in the same environment. SEPA transfers have a details endpoint of their own.",
	},
	{
		Code: PartnerNotFound, Name: "partner-not-found", Status: http.StatusBadRequest,
		Message: "The partner account is closed.",
		When:    "The API key belongs to a partner whose account was closed.",
		Fix:     "Stop sending requests with this key and ask support about the account.",
	},
	{
		Code: OrderNotFound, Name: "order-not-found", Status: http.StatusNotFound,
		Message: "The order does not exist.",
		When:    "You have no order with this id.",
		Fix:     "Use the orderId from the answer that created the order, in the same environment.",
	},
	{
		Code: PaymentLinkNotFound, Name: "payment-link-not-found", Status: http.StatusNotFound,
		Message: "The payment link does not exist.",
		When:    "You have no payment link with this id.",
		Fix:     "Use the paymentLinkId from the answer that created the link, in the same environment.",
	},
}

// The platform itself.
var systemRows = []Row{
	{
		Code: UnknownException, Name: "unknown-exception", Status: http.StatusBadRequest,
		Message: "Something went wrong on our side.",
		When:    "The platform met an error that it did not foresee. The request changed nothing.",
		Fix:     "Send the request again with the same Idempotency-Key. If it fails again, send the `X-Request-Id` of the answer to support.",
	},
	{
		Code: ServiceUnavailable, Name: "service-unavailable", Status: http.StatusBadRequest,
		Message: "The service is temporarily unavailable.",
		When:    "The database, or a bank, chain, card or identity service that the answer depends on, is away.",
		Fix:     "Wait for as many seconds as `Retry-After` says and send the same request again with the same Idempotency-Key: it cannot be carried out twice.",
	},
}
