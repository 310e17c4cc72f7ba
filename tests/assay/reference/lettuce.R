# Lettuce and ryegrass with nls, and the profile of the dose of the peak without any code of ours.
#   Rscript tests/assay/reference/lettuce.R RYEGRASS.csv
# Run with R 4.2.2 (Debian 12): Brain-Cousens b 1.28272, d 0.96718, e 0.84594, f 1.62451, residual
# standard error 0.1118; log-logistic b 0.77951, d 1.10912, e 28.6063; F(1, 10) = 9.3817, p = 0.01198;
# p of the Wald t of f 0.208; dose of the peak 0.5985 (0.217 to 1.205); ryegrass b 2.9822, c 0.4814,
# d 7.7930, e 3.0580, residual standard error 0.5196.
dose <- rep(c(0, 0.32, 1, 3.2, 10, 32, 100), each = 2)
weight <- c(1.126, 0.833, 1.096, 1.106, 1.163, 1.336, 0.985, 0.754, 0.716, 0.683, 0.56, 0.488, 0.375, 0.344)
monotone <- nls(weight ~ d / (1 + (dose / e)^b), start = list(b = 0.78, d = 1.1, e = 28))
biphasic <- nls(weight ~ (d + f * dose) / (1 + (dose / e)^b),
  start = list(b = 1.3, d = 0.97, e = 0.85, f = 1.6),
  control = nls.control(maxiter = 500, minFactor = 1e-10)
)
print(summary(biphasic))
print(coef(monotone))
print(anova(monotone, biphasic))

# The stimulation of a curve whose slope is zero at the peak p.
stimulation <- function(b, d, e, p) {
  u <- (p / e)^b
  d * b * u / p / (1 + u - b * u)
}
smallest <- function(p) {
  best <- Inf
  for (b in c(1.1, 1.28, 1.6, 2.2)) for (e in c(0.3, 0.85, 2, 6)) {
    found <- optim(c(log(b), 1, log(e)), function(q) {
      f <- stimulation(exp(q[1]), q[2], exp(q[3]), p)
      if (!is.finite(f) || f < 0) return(1e6)
      sum((weight - (q[2] + f * dose) / (1 + (dose / exp(q[3]))^exp(q[1])))^2)
    }, control = list(maxit = 5000, reltol = 1e-12))
    best <- min(best, found$value)
  }
  best
}
limit <- deviance(biphasic) * (1 + qf(0.95, 1, 10) / 10)
end <- function(from, to) uniroot(function(p) smallest(p) - limit, c(from, to), tol = 1e-4)$root
cat("dose of the peak from", end(0.15, 0.5), "to", end(0.7, 2), "\n")

ryegrass <- read.csv(commandArgs(trailingOnly = TRUE)[1])
print(summary(nls(rootl ~ c + (d - c) / (1 + (conc / e)^b), ryegrass, list(b = 3, c = 0.5, d = 7.8, e = 3))))
