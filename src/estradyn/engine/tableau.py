"""Coefficients of Rosenbrock methods, as data.

A method advances y' = f(t, y) from t by h. With J the Jacobian of f and f_t its time derivative,
each stage i solves

    (1/(h gamma) I - J) u_i = f(t + alpha_i h, y + sum_j a_ij u_j) + sum_j (c_ij / h) u_j
                              + h gamma_i f_t

and the step ends at y + sum_j m_j u_j, with the last stage as the error estimate (E. Hairer and
G. Wanner, Solving Ordinary Differential Equations II, 2nd ed., section IV.7). Within a step of
relative position theta the solution is

    (1 - theta) y_0 + theta (y_1 + (1 - theta) (k_1 + theta (k_2 + ...))),  k_i = sum_j d_ij u_j.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RosenbrockMethod:
    """A stiffly accurate Rosenbrock method with an embedded error estimate and dense output.

    Attributes
    ----------
    name
        Name in the literature.
    order
        Order of the step; the error estimate is one lower.
    gamma
        Diagonal coefficient.
    position
        Coefficients a: weights of earlier stages in a stage's position, one row per stage.
    coupling
        Coefficients c: weights of earlier stages in a stage's right-hand side.
    time
        Coefficients alpha: a stage's position in time.
    time_derivative
        Coefficients gamma_i: a stage's weight of the time derivative.
    dense
        Coefficients d of the interpolant, one row per k.
    reference
        Where the coefficients are printed.
    """

    name: str
    order: int
    gamma: float
    position: tuple[tuple[float, ...], ...]
    coupling: tuple[tuple[float, ...], ...]
    time: tuple[float, ...]
    time_derivative: tuple[float, ...]
    dense: tuple[tuple[float, ...], ...]
    reference: str

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.position)


_RODAS4_ROW = (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950)

RODAS4 = RosenbrockMethod(
    name="RODAS4",
    order=4,
    gamma=0.25,
    position=(
        (),
        (1.544,),
        (0.9466785280815826, 0.2557011698983284),
        (3.314825187068521, 2.896124015972201, 0.9986419139977817),
        _RODAS4_ROW,
        (*_RODAS4_ROW, 1.0),
    ),
    coupling=(
        (),
        (-5.6688,),
        (-2.430093356833875, -0.2063599157091915),
        (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
        (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
        (
            8.083246795921522,
            -7.981132988064893,
            -31.52159432874371,
            16.31930543123136,
            -6.058818238834054,
        ),
    ),
    time=(0.0, 0.386, 0.21, 0.63, 1.0, 1.0),
    time_derivative=(0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0),
    dense=(
        (
            10.12623508344586,
            -7.487995877610167,
            -34.80091861555747,
            -7.992771707568823,
            1.025137723295662,
            0.0,
        ),
        (
            -0.6762803392801253,
            6.087714651680015,
            16.43084320892478,
            24.76722511418386,
            -6.594389125716872,
            0.0,
        ),
    ),
    reference="Hairer and Wanner 1996, section VI.4 (method RODAS)",
)

_RODAS5P_ROW = (
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
)

RODAS5P = RosenbrockMethod(
    name="Rodas5P",
    order=5,
    gamma=0.21193756319429014,
    position=(
        (),
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        _RODAS5P_ROW,
        (*_RODAS5P_ROW, 1.0),
        (*_RODAS5P_ROW, 1.0, 1.0),
    ),
    coupling=(
        (),
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (
            24.854864614690072,
            -3.0009227002832186,
            47.4931110020768,
            5.5814197821558125,
            -0.6610691825249471,
        ),
        (
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ),
        (
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ),
    ),
    time=(
        0.0,
        0.6358126895828704,
        0.4095798393397535,
        0.9769306725060716,
        0.4288403609558664,
        1.0,
        1.0,
        1.0,
    ),
    time_derivative=(
        0.21193756319429014,
        -0.42387512638858027,
        -0.3384627126235924,
        1.8046452872882734,
        2.325825639765069,
        0.0,
        0.0,
        0.0,
    ),
    dense=(
        (
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            7.388275882220252,
        ),
        (
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -65.48671768037833,
        ),
        (
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            123.6077361821127,
        ),
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -67.2780625874941),
    ),
    # The last column and row are not Steinebach's. The last stage, the estimate of the error, may
    # be added with any weight without lowering the order of his interpolant; this weight raises
    # it to five where the equations are linear, as those of most drugs are.
    reference="G. Steinebach, BIT Numer. Math. 63:27 (2023), doi 10.1007/s10543-023-00967-x",
)

METHODS = {method.name: method for method in (RODAS4, RODAS5P)}
